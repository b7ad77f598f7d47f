"""`python -m benchmarks` — скорость и память моделей пакета рядом с оригиналами, в одном запуске.

Время — отношение медиан: замеры двух сторон чередуются, поэтому помехи машины достаются обеим. Память —
прирост пика процесса над уровнем после загрузки, каждая модель в своём процессе.
"""

import argparse
import importlib.util
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.models import CASES, MILLION, Call, Case, generation, named
from modern_nets.gpt2 import GPT2Config

RIVALS = {"timm": "timm", "vit-pytorch": "vit_pytorch"}
COLUMNS = "{:44} {:>9} {:>9} {:>7} {:>15} {:>6}  {}"


def main() -> None:
    """Разбирает командную строку и печатает таблицу."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="сколько раз чередовать стороны (по умолчанию 15)")
    parser.add_argument("--only", choices=[*CASES, "generation"], nargs="+", help="только эти случаи")
    parser.add_argument("--skip-memory", action="store_true", help="не мерить память")
    options = parser.parse_args()
    torch.set_num_threads(2)
    chosen = options.only or [*CASES, "generation"]
    print(f"PyTorch {torch.__version__}, потоков {torch.get_num_threads()}, чередований {options.rounds}")
    print(COLUMNS.format("", "наш", "чужой", "отнош.", "разброс", "цель", ""))
    with tempfile.TemporaryDirectory() as folder:
        rate = matmul_rate(options.rounds)
        for name in [name for name in CASES if name in chosen]:
            place = Path(folder) / name
            place.mkdir()
            measure_case(name, CASES[name], place, options.rounds, rate, memory=not options.skip_memory)
        if "generation" in chosen:
            for title, config, goal in (
                ("GPT-2 small, 64 токена", GPT2Config(), 0.95),
                ("GPT-2 на миллион параметров, 64 токена", MILLION, 0.40),
            ):
                place = Path(folder) / title
                place.mkdir()
                ours, theirs = (generation(config, side, place) for side in ("ours", "theirs"))
                if not torch.equal(ours(), theirs()):
                    raise SystemExit(f"{title}: продолжения не равны, сравнивать нечего.")
                compare(title, ours, theirs, goal, max(3, options.rounds // 2))


def measure_case(name: str, case: Case, folder: Path, rounds: int, rate: float, *, memory: bool) -> None:
    """Прямой проход, шаг обучения и память одной модели."""
    ours, theirs = (case.forward(side, folder) for side in ("ours", "theirs"))
    if not torch.allclose(ours(), theirs(), atol=1e-3):
        raise SystemExit(f"{case.title}: выходы не равны, сравнивать нечего.")
    seconds = compare(f"{case.title}: проход", ours, theirs, 1.03, rounds)
    share = flops(case, folder) / seconds / rate
    print(f"    {share:.0%} скорости голого матричного произведения (цель 85 %)")
    for rival in [side for side in case.load if side not in ("ours", "theirs")]:
        if importlib.util.find_spec(RIVALS[rival]) is None:
            print(f"    {rival}: не установлена (pip install -r requirements/benchmarks.txt)")
        else:
            compare(f"{case.title}: проход против {rival}", ours, case.forward(rival, folder), None, rounds)
    if name.endswith("-padded"):
        return
    steps = [case.training_step(side, folder) for side in ("ours", "theirs")]
    compare(f"{case.title}: шаг обучения", *steps, 1.03, max(3, rounds // 2))
    if memory:
        for mode, what in (("forward", "проход"), ("training_step", "шаг обучения")):
            peaks = [peak(name, side, mode, folder) for side in ("ours", "theirs")]
            row(f"{case.title}: {what}, память", *peaks, "МБ", peaks[0] / peaks[1], "", 1.05)


def compare(title: str, ours: Call, theirs: Call, goal: float | None, rounds: int) -> float:
    """Чередует стороны, печатает отношение медиан и возвращает медиану нашей, в секундах."""
    times: list[list[float]] = [[], []]
    for call in (ours, theirs):
        call()
    for i in range(rounds):
        sides = [0, 1] if i % 2 == 0 else [1, 0]
        for side in sides:
            times[side].append(seconds_of((ours, theirs)[side]))
    medians = [statistics.median(t) for t in times]
    ratios = sorted(a / b for a, b in zip(*times, strict=True))
    quarter = len(ratios) // 4
    spread = f"{ratios[quarter]:.2f}–{ratios[-1 - quarter]:.2f}"
    row(title, *(m * 1000 for m in medians), "мс", medians[0] / medians[1], spread, goal)
    return medians[0]


def row(title: str, ours: float, theirs: float, unit: str, ratio: float, spread: str, goal: float | None) -> None:
    """Строка таблицы."""
    verdict = "" if goal is None else "да" if ratio <= goal else "НЕТ"
    target = "" if goal is None else f"{goal:.2f}"
    print(COLUMNS.format(title, f"{ours:.0f} {unit}", f"{theirs:.0f} {unit}", f"{ratio:.3f}", spread, target, verdict))
    sys.stdout.flush()


def seconds_of(call: Callable[[], object]) -> float:
    """Сколько секунд длится вызов."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak(name: str, side: str, mode: str, folder: Path) -> float:
    """Прирост памяти в отдельном процессе, МБ."""
    command = [sys.executable, "-m", "benchmarks.memory", name, side, mode, str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def matmul_rate(rounds: int) -> float:
    """Скорость голого произведения 788 × 768 на 768 × 3072 в операциях за секунду."""
    a, b = torch.randn(788, 768), torch.randn(768, 3072)
    a @ b
    return 2 * math.prod((788, 768, 3072)) / statistics.median(seconds_of(lambda: a @ b) for _ in range(20 * rounds))


def flops(case: Case, folder: Path) -> int:
    """Операций в одном прямом проходе нашей модели."""
    model: nn.Module = case.model("ours", folder)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        inputs = case.inputs()
        model(**inputs) if named(model) else model(*inputs.values())
    return counter.get_total_flops()


if __name__ == "__main__":
    main()
