"""Цикл обучения, который можно прервать и продолжить: итог будет тем же до бита.

Для этого случайность каждого шага зависит только от зерна и номера шага, а не от того, что было раньше:
чекпоинту достаточно весов, состояния оптимизатора и номера шага.
"""

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

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
    loss_of: Callable[[], Tensor],
    plan: Plan,
    run_folder: Path,
    *,
    title: str = "",
) -> History:
    """Обучает модель; прерванное обучение продолжается с последнего чекпоинта.

    Args:
        model: Модель со своими начальными весами.
        loss_of: Выбирает случайные примеры и возвращает потери на них. Вся случайность — из генератора PyTorch:
            цикл заново заводит его перед каждым шагом.
        plan: Сколько и как учить.
        run_folder: Папка чекпоинта. Последний, после всех шагов, остаётся в ней: если сломается то, что делают
            с моделью дальше, учить заново не придётся. Ненужный удаляет `forget`.
        title: Подпись полосы хода.

    Returns:
        Потери и время шага.

    Raises:
        ValueError: чекпоинт повреждён, от другой модели или другого плана; потери перестали быть числом.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        betas=(0.9, 0.98),
        fused=True,
    )
    n_done, pace = load_checkpoint(model, optimizer, plan, run_folder)
    losses: list[float] = []
    seconds: list[float] = []
    model.train()
    # Без терминала полоса молчит: в журнале от неё были бы тысячи строк.
    progress = tqdm(range(n_done, plan.n_steps), title, initial=n_done, total=plan.n_steps, unit="шаг", disable=None)
    for step in progress:
        started = time.perf_counter()
        torch.manual_seed(plan.seed * 1_000_000 + step)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * schedule(step, plan)
        loss = loss_of()
        if not loss.isfinite():  # чекпоинт ещё хорош, и портить его нельзя
            raise ValueError(
                f"Шаг {step + 1}: потери — {loss.item()}. Уменьшите скорость обучения {plan.learning_rate}."
            )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip)
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
        progress.set_postfix_str(f"потери {losses[-1]:.3f}", refresh=False)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.n_steps:
            pace = statistics.median(seconds)
            save_checkpoint(model, optimizer, plan, run_folder, step + 1, pace)
    model.eval()
    return History(losses, pace)


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
    model: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, folder: Path, n_done: int, pace: float
) -> None:
    """Пишет чекпоинт рядом и ставит на место одним переименованием: прерванная запись прежнего не портит.

    Args:
        model: Модель.
        optimizer: Её оптимизатор.
        plan: План обучения: по нему чекпоинт узнают.
        folder: Папка чекпоинта.
        n_done: Сколько шагов сделано.
        pace: Сколько секунд занимал шаг.

    Raises:
        OSError: записать не удалось.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    draft = folder / f"{CHECKPOINT}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(copies, draft, metadata={"n_done": str(n_done), "plan": _identity(model, plan), "pace": str(pace)})
        os.replace(draft, folder / CHECKPOINT)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise OSError(f"Чекпоинт не записался в {folder}: {error}. Прежний, если был, цел.") from error


def _identity(model: nn.Module, plan: Plan) -> str:
    learned = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return f"{plan} {getattr(model, 'config', '')} {learned}"


def load_checkpoint(model: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, folder: Path) -> tuple[int, float]:
    """Возвращает модель и оптимизатор в состояние чекпоинта.

    Args:
        model: Модель той же формы.
        optimizer: Её оптимизатор.
        plan: План обучения; должен быть тем же.
        folder: Папка чекпоинта.

    Returns:
        Сколько шагов уже сделано и сколько секунд занимал шаг; нули, если чекпоинта нет.

    Raises:
        ValueError: чекпоинт повреждён, от другой модели или другого плана.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return 0, 0.0
    advice = f"Чтобы начать обучение сначала, удалите {path}."
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — это не словарь
    except (OSError, SafetensorError) as error:
        raise ValueError(f"Чекпоинт {path} повреждён ({error}). {advice}") from error
    if about.get("plan") != _identity(model, plan):
        raise ValueError(f"Чекпоинт {path} — от обучения по другому плану или с другими настройками модели. {advice}")
    weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    if {name: t.shape for name, t in weights.items()} != {name: t.shape for name, t in model.state_dict().items()}:
        raise ValueError(f"Чекпоинт {path} — от другой модели. {advice}")
    model.load_state_dict(weights)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            state.setdefault(int(index), {})[field] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(about["n_done"]), float(about.get("pace", 0))
