"""Один процесс или много: Accelerate запускает цикл обучения везде одинаково.

Сколько процессов, решает запуск: `python -m modern_nets …` — один, `torchrun --nproc_per_node 2 -m modern_nets …`
или `accelerate launch …` — сколько сказано. Трекеров и телеметрии нет.

Библиотека загружается, только когда учат: данные и рецепты читаются и без неё.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator

Batch = tuple[Tensor, ...]
"""Пакет: тензоры, у которых первая ось — примеры."""
PRECISIONS = ("no", "bf16", "fp16")
"""Точность прямого прохода: «no» — float32."""
T = TypeVar("T")


def find_device(name: str) -> torch.device:
    """Устройство по имени; «auto» — лучшее из тех, что есть.

    Args:
        name: «auto», «cpu», «cuda», «cuda:1» или «mps».

    Returns:
        Устройство, на котором уже получилось завести число.

    Raises:
        ValueError: такого устройства здесь нет.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps") or (device.type == "cpu" and device.index):
            raise RuntimeError("бывают cpu, cuda и mps")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"Устройства «{name}» здесь нет ({str(error).splitlines()[0]}). Подойдёт cpu.") from error
    return device


def accelerator_for(device: torch.device, precision: str = "no") -> "Accelerator":
    """Accelerate на этом устройстве; в запуске из нескольких процессов — соединяет их.

    Args:
        device: Устройство. Если процессов на машине несколько, каждому достаётся своя видеокарта.
        precision: «no», «bf16» или «fp16».

    Returns:
        Связь с остальными процессами.

    Raises:
        ValueError: точность устройству не подходит, процессов больше, чем видеокарт, запуск настроен на то,
            чего этот цикл не умеет.
    """
    from accelerate import Accelerator, DistributedType
    from accelerate.state import AcceleratorState
    from accelerate.utils import GradientAccumulationPlugin

    if precision not in PRECISIONS:
        raise ValueError(f"Точности «{precision}» нет. Есть: {', '.join(PRECISIONS)}.")
    if precision == "fp16" and device.type == "cpu":
        raise ValueError("fp16 на процессоре не считают. Возьмите --precision bf16 или no.")
    n_asked, n_here = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if device.type == "mps" and n_asked > 1:
        raise ValueError("На mps процесс может быть только один. Запустите без torchrun или возьмите --device cpu.")
    if "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:
        raise ValueError(  # просили много процессов, а запущен один: молча учить одним было бы обманом
            "accelerate launch просили запустить несколько процессов, а запущен один: на процессоре она умеет только "
            "так. Возьмите torchrun --nproc_per_node N или --num_processes 1."
        )
    if device.type == "cuda":
        if n_here > torch.cuda.device_count():
            raise ValueError(
                f"Процессов на этой машине — {n_here}, а видеокарт — {torch.cuda.device_count()}: "
                "каждому процессу нужна своя. Уменьшите --nproc_per_node (--num_processes)."
            )
        if n_asked == 1:
            torch.cuda.set_device(device)
    if n_asked == 1:  # в одном процессе учат и не раз, и по-разному, а состояние у Accelerate общее
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=device.type == "cpu",  # без этого на машине без видеокарт все процессы решили бы, что они одни
        mixed_precision=precision,
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
    )
    known = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
    if accelerator.distributed_type not in known:
        raise ValueError(
            f"Запуск настроен на {accelerator.distributed_type.value}, а обучение идёт только копиями модели "
            "(DDP). Выберите multi-GPU без FSDP и DeepSpeed в accelerate config или запустите torchrun."
        )
    if accelerator.num_processes != n_asked:
        raise ValueError(f"Запущено процессов — {n_asked}, а соединились {accelerator.num_processes}.")
    return accelerator


@contextmanager
def one_by_one(accelerator: "Accelerator") -> Iterator[None]:
    """Что может скачаться, сперва берёт главный процесс, потом первый на каждой машине, потом остальные.

    Так не мешают друг другу ни процессы одной машины, ни машины с общим диском, а у кого диск свой, скачивает сам.

    Args:
        accelerator: Связь с остальными процессами.

    Yields:
        Ничего: очередь подошла.
    """
    with accelerator.main_process_first(), accelerator.local_main_process_first():
        yield


def share_of(batch: Batch, accelerator: "Accelerator") -> Batch:
    """Строки общего пакета, которые достались этому процессу: доли разных процессов различаются не больше чем на одну.

    Args:
        batch: Общий пакет, одинаковый у всех.
        accelerator: Связь с остальными процессами.

    Returns:
        Своя доля.

    Raises:
        ValueError: примеров меньше, чем процессов.
    """
    n_rows, n, k = len(batch[0]), accelerator.num_processes, accelerator.process_index
    if n_rows < n:
        raise ValueError(
            f"В общем пакете примеров — {n_rows}, а процессов — {n}: кому-то не достанется ни одного. "
            "Увеличьте пакет (--batch-size) или запустите меньше процессов."
        )
    return tuple(part[n_rows * k // n : n_rows * (k + 1) // n] for part in batch)


def from_main(read: Callable[[], T], accelerator: "Accelerator") -> T:
    """Читает главный процесс, остальные получают прочитанное — или ту же ошибку.

    Args:
        read: Что сделать главному процессу.
        accelerator: Связь с остальными процессами.

    Returns:
        Одно и то же у всех.

    Raises:
        OSError, ValueError: то, что вышло у главного.
    """
    if accelerator.num_processes == 1:
        return read()
    from accelerate.utils import broadcast_object_list

    box: list[object] = [None]
    if accelerator.is_main_process:
        try:
            box[0] = read()
        except (OSError, ValueError) as error:
            box[0] = error
    broadcast_object_list(box)
    if isinstance(box[0], Exception):
        raise box[0]
    return box[0]  # type: ignore[return-value]


def tensors_from_main(tensors: dict[str, Tensor], accelerator: "Accelerator") -> dict[str, Tensor]:
    """Раздаёт тензоры главного процесса: у других машин может не быть его диска.

    Args:
        tensors: Тензоры главного; у остальных — что угодно.
        accelerator: Связь с остальными процессами.

    Returns:
        Тензоры главного у всех, на процессоре.
    """
    if accelerator.num_processes == 1:
        return tensors
    from accelerate.utils import broadcast

    shapes = from_main(lambda: {name: (t.shape, t.dtype) for name, t in tensors.items()}, accelerator)
    received = {}
    for name, (shape, dtype) in shapes.items():  # по одному: вместе они могут не поместиться
        mine = tensors[name] if accelerator.is_main_process else torch.empty(shape, dtype=dtype)
        received[name] = broadcast(mine.to(accelerator.device)).cpu()
    return received


def is_reporter() -> bool:
    """Этому ли процессу говорить с человеком: на каждой машине говорит один.

    Returns:
        True у первого процесса машины и у единственного.
    """
    return "WORLD_SIZE" not in os.environ or os.environ.get("LOCAL_RANK", "0") == "0"
