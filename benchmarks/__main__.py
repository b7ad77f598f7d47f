"""`python -m benchmarks` — во сколько раз модели пакета медленнее или экономнее известных реализаций.

На одних и тех же весах и входах, в два потока, по очереди меряет нашу модель и образец: transformers, torchvision,
timm, vit-pytorch. Печатает одну таблицу: проход, шаг обучения, память и генерация.
"""

import argparse
import platform
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks import memory
from benchmarks.generation import WRITINGS, Writing
from benchmarks.models import FORWARD, OURS, REFERENCE, TASK_TITLES, Case, cases, check_equal
from benchmarks.timing import MATRICES, Comparison, compare, matmul_share

TIME_TARGET, MEMORY_TARGET = 1.03, 1.05
LIBRARIES = ("torch", "transformers", "torchvision", "timm", "vit-pytorch")


def main() -> None:
    """Разбирает командную строку и печатает таблицу."""
    options = parse()
    torch.set_num_threads(2)
    show_heading(options.rounds)
    for name, case in cases().items():
        if options.only in (None, name):
            measure_case(name, case, options)
    for name, writing in WRITINGS.items():
        if options.only in (None, name):
            measure_writing(writing, options.rounds)


def parse() -> argparse.Namespace:
    """Параметры командной строки."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="ИМЯ", choices=[*cases(tiny=True), *WRITINGS], help="одна пара: %(choices)s")
    parser.add_argument("--rounds", type=int, metavar="N", help="раундов на строку (обычно 9)")
    parser.add_argument("--quick", action="store_true", help="прикидка: три раунда и без памяти")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 9)
    if options.rounds < 1:
        parser.error(f"--rounds: раундов должно быть не меньше одного, а пришло {options.rounds}")
    return options


def show_heading(rounds: int) -> None:
    """Печатает, на чём мерили, и заголовки столбцов."""
    print(f"{', '.join(map(installed, LIBRARIES))}; {platform.machine()}, потоков {torch.get_num_threads()}")
    print(f"Раундов {rounds}; отношение — наше / образец, по медианам; разброс — средняя половина раундов.")
    sizes = "×".join(map(str, MATRICES))
    print(f"Доля A·B — какую часть скорости умножения матриц {sizes} даёт наш проход.\n")
    print(f"{'что':<47}{'наше':>10}{'образец':>10}{'отн.':>8}{'разброс':>13}{'цель':>8}{'':>4}{'доля A·B':>10}")


def installed(library: str) -> str:
    """Имя и версия библиотеки."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return f"{library} —"


def measure_case(name: str, case: Case, options: argparse.Namespace) -> None:
    """Строки таблицы для одной пары: время и память каждой работы."""
    if not case.is_available:
        how = "pip install -r requirements/benchmarks.txt"
        print(f"{case.title:<47}пропущено: не установлен {case.needs} ({how})", flush=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        case.save(Path(folder))
        for task in case.tasks:
            title = f"{case.title}, {TASK_TITLES[task]}"
            times, share = measure_time(case, task, Path(folder), options.rounds)
            show_time(title, times, TIME_TARGET, share)
            if memory.IS_AVAILABLE and not options.quick:
                ours, reference = memory.measure(name, task, Path(folder))
                figures = f"{ours / 1e6:>7.0f} МБ{reference / 1e6:>7.0f} МБ"
                show_row(f"{title}: память", figures, ours / reference, "", MEMORY_TARGET)


def measure_time(case: Case, task: str, folder: Path, rounds: int) -> tuple[Comparison, str]:
    """Время нашей модели и образца и доля нашего прохода; сначала — что пара считает одно и то же."""
    ours, reference = case.load(OURS, folder), case.load(REFERENCE, folder)
    if case.same_weights:
        check_equal(case, ours, reference)
    our_work = case.work(task, ours)
    times = compare(our_work, case.work(task, reference), rounds)
    return times, f"{matmul_share(case, our_work, rounds):.2f}" if task == FORWARD else ""


def measure_writing(writing: Writing, rounds: int) -> None:
    """Строка таблицы для генерации."""
    with tempfile.TemporaryDirectory() as folder:
        ours, reference = writing.pair(Path(folder))
        show_time(writing.title, compare(ours, reference, rounds), writing.target)


def show_time(title: str, times: Comparison, target: float, share: str = "") -> None:
    """Печатает строку о времени."""
    figures = f"{1000 * times.our_median:>7.0f} мс{1000 * times.reference_median:>7.0f} мс"
    low, high = times.spread
    show_row(title, figures, times.ratio, f"{low:.2f}–{high:.2f}", target, share)


def show_row(title: str, figures: str, ratio: float, spread: str, target: float, share: str = "") -> None:
    """Печатает строку таблицы; знак говорит, достигнута ли цель."""
    mark = "✓" if ratio <= target else "✗"
    print(f"{title:<47}{figures}{ratio:>8.3f}{spread:>13}{f'≤ {target:.2f}':>8}{mark:>4}{share:>10}", flush=True)


if __name__ == "__main__":
    main()
