"""Память: насколько процесс вырастает за проход или шаг обучения.

Каждая модель меряется в своём, свежем процессе:

    python -m benchmarks.memory bert forward ours папка
"""

import ctypes
import gc
import os
import re
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.models import OURS, REFERENCE, Case, cases

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
IS_AVAILABLE = CLEAR_REFS.exists()  # пик занятой памяти сбрасывает только Linux
# Большой тензор занимает свои страницы и, освобождённый, сразу их возвращает. Иначе glibc подстраивает порог по ходу
# дела, и у одной и той же модели рост меняется от запуска к запуску больше, чем разнятся модели.
ENVIRONMENT = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}


def main() -> None:
    """Печатает, на сколько байт пик занятой памяти выше уровня после загрузки."""
    name, task, side, folder = sys.argv[1:]
    torch.set_num_threads(2)
    print(growth(cases()[name], task, side, Path(folder)))


def growth(case: Case, task: str, side: str, folder: Path) -> int:
    """На сколько байт процесс вырастает за два прогона работы сверх уровня после загрузки модели."""
    model = case.load(side, folder)
    for tensor in model.state_dict().values():
        tensor.sum()  # веса из отображённого файла попадают в память только при чтении
    work = case.work(task, model)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # освобождённое при загрузке возвращается системе
    CLEAR_REFS.write_text("5")  # пик отсчитывается отсюда: при загрузке он мог быть выше
    before = status_bytes("VmRSS")
    for _ in range(2):
        work()
    return status_bytes("VmHWM") - before


def status_bytes(field: str) -> int:
    """Поле из состояния процесса: VmRSS — занято сейчас, VmHWM — занято самое большее."""
    found = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text())
    assert found, f"в {STATUS} нет {field}"
    return int(found[1]) * 1024


def measure(name: str, task: str, folder: Path) -> tuple[int, int]:
    """Рост памяти нашей модели и образца, в байтах, каждый в своём процессе."""
    grown = []
    for side in (OURS, REFERENCE):
        command = [sys.executable, "-m", "benchmarks.memory", name, task, side, str(folder)]
        project = Path(__file__).parent.parent
        done = subprocess.run(command, cwd=project, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE)
        grown.append(int(done.stdout.split()[-1]))
    return grown[0], grown[1]


if __name__ == "__main__":
    main()
