"""Выполняется под torchrun: тот же цикл и та же команда на двух процессах; итоги печатаются строкой JSON."""

import contextlib
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from modern_nets import cli
from modern_nets.finetune.tasks import Task
from modern_nets.resnet import ResNet
from modern_nets.training.loop import Plan, train
from modern_nets.training.processes import accelerator_for

PLAN = Plan(n_steps=6, learning_rate=0.05, save_every=2)


def uneven(run_folder: Path, stop_at: int | None = None, seeds: list[int] | None = None) -> list[float]:
    """Потери обучения, в котором примеров в пакете 5, а ответов у них поровну не бывает; в `seeds` — зёрна dropout."""
    accelerator = accelerator_for(torch.device("cpu"))
    torch.manual_seed(3)
    model = nn.Sequential(nn.Embedding(7, 8), nn.Linear(8, 7))
    losses: list[float] = []

    def draw(step: int) -> tuple[Tensor, ...]:
        if step == stop_at:
            raise KeyboardInterrupt
        ids = torch.randint(7, (5, 6))
        hidden = torch.arange(6) > torch.tensor([5, 4, 3, 1, 0])[:, None]  # у первых строк ответов больше
        return ids, ids.roll(1, dims=1).masked_fill(hidden, -100)

    def loss_of(net: nn.Module, ids: Tensor, answers: Tensor) -> Tensor:
        if seeds is not None:
            seeds.append(torch.initial_seed())
        return F.cross_entropy(net(ids).flatten(0, 1), answers.flatten())

    def count(ids: Tensor, answers: Tensor) -> int:
        return int((answers != -100).sum())

    def remember(n_done: int, all_losses: list[float]) -> None:
        losses[:] = all_losses

    options = {"count": count, "after_step": remember, "accelerator": accelerator}
    train(model, draw, loss_of, PLAN, run_folder, **options)
    return losses


def main() -> None:
    place, *words = sys.argv[1:]
    rank = accelerator_for(torch.device("cpu")).process_index
    own = Path(place) / f"диск {rank}"  # диск у каждого свой, как на двух машинах
    seeds: list[int] = []
    whole = uneven(own / "целое", seeds=seeds)
    with contextlib.suppress(KeyboardInterrupt):
        uneven(own / "прерванное", stop_at=5)
    resumed = uneven(own / "прерванное")
    written = sorted(path.relative_to(own).as_posix() for path in own.rglob("*") if path.is_file())
    # У повторённого параметра argparse берёт последнее значение.
    codes = [
        cli.main([*words, "--out", f"{place}/занятая"]),
        cli.main([*words, "--data", f"{place}/картинки {rank}", "--out", f"{place}/разное"]),
    ]
    statistics = BuffersSeen()
    resnet = ["--model", "tiny-resnet-five", "--epochs", "1", "--out", f"{place}/resnet"]
    end, Accelerator.end_training = Accelerator.end_training, lambda self: None  # иначе связь закроется
    codes.append(cli.main(["finetune", "resnet", *words[2:], *resnet]))
    Accelerator.end_training = end
    codes.append(cli.main(words))
    about = {"whole": whole, "resumed": resumed, "written": written, "seeds": seeds, "codes": codes}
    Path(place, f"{rank}.json").write_text(json.dumps(about | {"statistics": statistics.of_resnet}))


class BuffersSeen:
    """Статистика BatchNorm, с которой ResNet проверяют: у процессов она должна быть одна."""

    def __init__(self) -> None:
        self.of_resnet: list[float] = []
        evaluate = Task.evaluate

        def spy(task: Task, model: nn.Module, accelerator: Accelerator) -> tuple[float, float]:
            if isinstance(model, ResNet):
                self.of_resnet += [float(buffer.double().sum()) for buffer in model.buffers()]
            return evaluate(task, model, accelerator)

        Task.evaluate = spy


if __name__ == "__main__":
    main()
