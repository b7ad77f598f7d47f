"""Цикл обучения, который можно прервать и продолжить: итог будет тем же до бита.

Для этого случайность каждого шага зависит только от зерна и номера шага, а не от того, что было раньше:
чекпоинту достаточно весов, состояния оптимизатора и номера шага. По той же причине неважно, сколько процессов учит:
каждый выбирает тот же общий пакет и берёт из него свои строки.
"""

import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from modern_nets.disk import replacing
from modern_nets.training.processes import Batch, accelerator_for, from_main, share_of, tensors_from_main

if TYPE_CHECKING:
    from accelerate import Accelerator

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class History:
    """Как шло обучение.

    Attributes:
        losses: Потери шагов, сделанных в этом запуске.
        seconds_per_step: Сколько занимал шаг (медиана).
    """

    losses: list[float]
    seconds_per_step: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Сколько и как учить.

    Attributes:
        n_steps: Число шагов.
        learning_rate: Наибольшая скорость обучения.
        weight_decay: Затухание весов у матриц; сдвиги и нормализации не затухают.
        warmup: Доля шагов, за которую скорость растёт от нуля; дальше она падает по косинусу до десятой части.
        clip: Наибольшая норма градиента.
        seed: Зерно.
        save_every: Через сколько шагов писать чекпоинт.

    Raises:
        ValueError: число вне своих границ.
    """

    n_steps: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0
    seed: int = 0
    save_every: int = 200

    def __post_init__(self) -> None:
        if min(self.n_steps, self.save_every) < 1 or not (self.learning_rate > 0 and self.clip > 0):
            raise ValueError(
                f"Число шагов, скорость обучения, clip и save_every должны быть больше нуля, а пришло {self}."
            )
        if not 0 <= self.seed < 10**12:
            raise ValueError(f"Зерно — от 0 до 10**12, а пришло {self.seed}.")


def train(
    model: nn.Module,
    draw: Callable[[int], Batch],
    loss_of: Callable[..., Tensor],
    plan: Plan,
    run_folder: Path,
    *,
    count: Callable[..., int] = lambda first, *_: len(first),
    after_step: Callable[[int, list[float]], None] | None = None,
    accelerator: "Accelerator | None" = None,
    title: str = "",
) -> History:
    """Обучает модель; прерванное обучение продолжается с последнего чекпоинта.

    Шаг одинаков на одном процессе и на многих: каждый выбирает один и тот же общий пакет, считает свою долю строк,
    а потери и градиенты — средние по всему пакету. Исключение — BatchNorm на процессоре: её среднее и разброс
    у каждого процесса свои (на видеокартах они общие, SyncBatchNorm).

    Args:
        model: Модель со своими начальными весами. Замороженные слои учатся как в режиме eval.
        draw: По номеру шага (от 0) выбирает общий пакет — тензоры на процессоре с одинаковой первой осью. Вся
            случайность — из генератора PyTorch, который цикл заводит перед каждым шагом заново, или из номера шага.
        loss_of: По модели и тензорам доли считает средние потери на ней.
        plan: Сколько и как учить.
        run_folder: Папка чекпоинта. Последний, после всех шагов, остаётся в ней: если сломается то, что делают
            с моделью дальше, учить заново не придётся. Ненужный удаляет `forget`.
        count: По тензорам пакета или доли — по скольким ответам усредняет `loss_of`; обычно это число строк.
        after_step: Вызывается после шага, до чекпоинта: (сколько шагов сделано, потери всех шагов с самого начала).
        accelerator: Связь с другими процессами; None — этот процесс один.
        title: Подпись полосы хода.

    Returns:
        Потери и время шага.

    Raises:
        ValueError: чекпоинт повреждён, от другой модели или другого плана; потери перестали быть числом.
    """
    accelerator = accelerator or accelerator_for(next(model.parameters()).device)
    n_processes, device = accelerator.num_processes, accelerator.device
    if n_processes > 1 and device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    model.to(device)
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() <= 1]
    adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
        fused=True,
    )
    scaler = accelerator.scaler
    n_done, pace, losses = load_checkpoint(model, adam, plan, run_folder, accelerator)
    wrapped, optimizer = accelerator.prepare(model, adam)
    seconds: list[float] = []
    _training_mode(model)
    # Без терминала полоса молчит: в журнале от неё были бы тысячи строк.
    silent = None if accelerator.is_main_process else True
    progress = tqdm(range(n_done, plan.n_steps), title, initial=n_done, total=plan.n_steps, unit="шаг", disable=silent)
    for step in progress:
        started = time.perf_counter()
        seed = plan.seed * 1_000_000 + step
        torch.manual_seed(seed)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * schedule(step, plan)
        batch = draw(step)
        share = share_of(batch, accelerator)
        if accelerator.process_index:  # dropout у каждого процесса свой
            torch.manual_seed((seed + accelerator.process_index * 0x9E3779B97F4A7C15) % 2**64)
        part = count(*share) / count(*batch)
        loss = loss_of(wrapped, *(tensor.to(device, non_blocking=True) for tensor in share))
        mean = float(accelerator.reduce(loss.detach() * part, "sum"))
        if not math.isfinite(mean):  # чекпоинт ещё хорош, и портить его нельзя
            raise ValueError(f"Шаг {step + 1}: потери — {mean}. {diverged(plan)}")
        optimizer.zero_grad()
        accelerator.backward(loss * (part * n_processes))  # DDP делит сумму градиентов на число процессов
        norm = float(accelerator.clip_grad_norm_(parameters, plan.clip))
        if scaler is None and not math.isfinite(norm):  # при fp16 такой шаг пропустит множитель потерь
            raise ValueError(f"Шаг {step + 1}: градиент — {norm}. {diverged(plan)}")
        optimizer.step()
        losses.append(mean)
        seconds.append(time.perf_counter() - started)
        progress.set_postfix_str(f"потери {mean:.3f}", refresh=False)
        if after_step is not None:
            after_step(step + 1, losses)
            _training_mode(model)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.n_steps:
            pace = statistics.median(seconds)
            if accelerator.is_main_process:
                save_checkpoint(model, adam, plan, run_folder, step + 1, pace, losses, scaler)
    accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False).eval()
    return History(losses[n_done:], pace)


def diverged(plan: Plan) -> str:
    """Что делать, если числа стали бесконечными.

    Args:
        plan: План обучения.

    Returns:
        Совет для сообщения об ошибке.
    """
    return f"Скорость обучения {plan.learning_rate:g} велика: возьмите меньше и начните сначала, в другой папке."


def _training_mode(model: nn.Module) -> None:
    """Режим обучения; слои, в которых не учится ничего, — в режиме eval: их BatchNorm и dropout не шевелятся."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


def forget(run_folder: Path) -> None:
    """Удаляет чекпоинт, если он есть.

    Args:
        run_folder: Папка чекпоинта.
    """
    (run_folder / CHECKPOINT).unlink(missing_ok=True)


def schedule(step: int, plan: Plan) -> float:
    """Множитель скорости обучения: разгон, потом косинус до одной десятой.

    Args:
        step: Номер шага.
        plan: План обучения.

    Returns:
        Число от 0 до 1.
    """
    warmup = max(1, round(plan.warmup * plan.n_steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, plan.n_steps - warmup)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def save_checkpoint(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    folder: Path,
    n_done: int,
    pace: float,
    losses: list[float],
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Пишет чекпоинт; прерванная запись прежнего не портит.

    Args:
        model: Модель.
        optimizer: Её оптимизатор.
        plan: План обучения: по нему чекпоинт узнают.
        folder: Папка чекпоинта.
        n_done: Сколько шагов сделано.
        pace: Сколько секунд занимал шаг.
        losses: Потери всех шагов.
        scaler: Множитель потерь при fp16.

    Raises:
        OSError: записать не удалось.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    copies["losses"] = torch.tensor(losses, dtype=torch.float64)
    about = {"n_done": str(n_done), "plan": _identity(model, plan), "pace": str(pace)}
    if scaler is not None:
        about["scaler"] = json.dumps(scaler.state_dict())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / CHECKPOINT) as draft:
            save_file(copies, draft, metadata=about)
    except (OSError, SafetensorError) as error:
        raise OSError(f"Чекпоинт не записался в {folder}: {error}. Прежний, если был, цел.") from error


def _identity(model: nn.Module, plan: Plan) -> str:
    learned = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return f"{plan} {getattr(model, 'config', '')} {learned}"


def load_checkpoint(
    model: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, folder: Path, accelerator: "Accelerator"
) -> tuple[int, float, list[float]]:
    """Возвращает модель и оптимизатор в состояние чекпоинта. Читает его главный процесс, остальные — от него.

    Args:
        model: Модель той же формы.
        optimizer: Её оптимизатор.
        plan: План обучения; должен быть тем же.
        folder: Папка чекпоинта.
        accelerator: Связь с другими процессами.

    Returns:
        Сколько шагов уже сделано, сколько секунд занимал шаг, потери этих шагов; нули, если чекпоинта нет.

    Raises:
        ValueError: чекпоинт повреждён, от другой модели или другого плана.
    """
    tensors: dict[str, Tensor] = {}

    def read() -> dict[str, str]:
        about, found = _read_checkpoint(model, plan, folder / CHECKPOINT)
        tensors.update(found)
        return about

    about = from_main(read, accelerator)
    if not about:
        return 0, 0.0, []
    tensors = tensors_from_main(tensors, accelerator)
    losses = tensors.pop("losses").tolist()
    model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            state.setdefault(int(index), {})[field] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    if accelerator.scaler is not None and "scaler" in about:
        accelerator.scaler.load_state_dict(json.loads(about["scaler"]))
    return int(about["n_done"]), float(about["pace"]), losses


def _read_checkpoint(model: nn.Module, plan: Plan, path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Сведения и тензоры чекпоинта, проверенные; пустые, если его нет."""
    if not path.exists():
        return {}, {}
    advice = f"Чтобы начать обучение сначала, удалите {path}."
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — это не словарь
    except (OSError, SafetensorError) as error:
        raise ValueError(f"Чекпоинт {path} повреждён ({error}). {advice}") from error
    if about.get("plan") != _identity(model, plan) or "losses" not in tensors:
        raise ValueError(f"Чекпоинт {path} — от обучения по другому плану или с другими настройками модели. {advice}")
    shapes = {name.removeprefix("model."): t.shape for name, t in tensors.items() if name.startswith("model.")}
    if shapes != {name: t.shape for name, t in model.state_dict().items()}:
        raise ValueError(f"Чекпоинт {path} — от другой модели. {advice}")
    return about, tensors
