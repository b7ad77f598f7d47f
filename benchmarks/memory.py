"""`python -m benchmarks.memory СЛУЧАЙ СТОРОНА РЕЖИМ ПАПКА` — пик памяти одной модели в своём процессе, МБ.

Печатает прирост над уровнем после загрузки модели, когда все её веса уже в памяти.
"""

import gc
import resource
import sys
from pathlib import Path

import torch

from benchmarks.models import CASES


def main() -> None:
    """Строит модель, выполняет режим дважды и печатает прирост пика."""
    case, side, mode, folder = sys.argv[1:]
    torch.set_num_threads(2)
    call = getattr(CASES[case], mode)(side, Path(folder))
    touch_weights()
    gc.collect()
    level = resident_megabytes()
    reset_peak()
    call()
    call()
    print(peak_megabytes() - level)


def touch_weights() -> None:
    """Читает каждый тензор: веса из отображённого файла иначе попали бы в память только при проходе."""
    with torch.no_grad():
        for value in gc.get_objects():
            if isinstance(value, torch.nn.Parameter):
                value.sum()


def resident_megabytes() -> float:
    """Занято сейчас, МБ."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def reset_peak() -> None:
    """Просит Linux забыть прежний пик: загрузка бывает прожорливее прохода."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes() -> float:
    """Пик с последнего сброса, МБ."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1e3


if __name__ == "__main__":
    main()
