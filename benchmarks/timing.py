"""Время: две работы по очереди, отношение медиан и доля скорости голого матричного умножения."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.models import Case

MATRICES = (788, 768, 3072)  # первый слой MLP у ViT-B/16 на четырёх картинках: 4 · 197 токенов


@dataclass(frozen=True)
class Comparison:
    """Замеры двух работ, сделанные по очереди.

    Attributes:
        ours: Секунды нашей работы, по раундам.
        reference: Секунды образца в тех же раундах.
    """

    ours: list[float]
    reference: list[float]

    @property
    def our_median(self) -> float:
        """Медиана нашей работы."""
        return statistics.median(self.ours)

    @property
    def reference_median(self) -> float:
        """Медиана образца."""
        return statistics.median(self.reference)

    @property
    def ratio(self) -> float:
        """Отношение медиан: меньше единицы — наша быстрее."""
        return self.our_median / self.reference_median

    @property
    def spread(self) -> tuple[float, float]:
        """Между какими отношениями лежит средняя половина раундов."""
        ratios = sorted(our / their for our, their in zip(self.ours, self.reference, strict=True))
        quarter = len(ratios) // 4
        return ratios[quarter], ratios[-1 - quarter]


def seconds(work: Callable[[], Any]) -> float:
    """Сколько длится работа."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(ours: Callable[[], Any], reference: Callable[[], Any], rounds: int) -> Comparison:
    """Меряет две работы по очереди; кто первый, меняется от раунда к раунду.

    Так помехи машины достаются обеим поровну. Первый, прогревающий раунд не считается.
    """
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    works = [("ours", ours), ("reference", reference)]
    for number in range(rounds + 1):
        for side, work in works if number % 2 else works[::-1]:
            duration = seconds(work)
            if number:
                times[side].append(duration)
    return Comparison(**times)


def matmul_share(case: Case, work: Callable[[], Any], rounds: int) -> float:
    """Какую часть скорости голого умножения матриц float32 даёт проход нашей модели; меряются по очереди.

    Args:
        case: Пара: по ней считаются операции.
        work: Проход нашей модели.
        rounds: Сколько раз мерить.
    """
    n_rows, n_inner, n_columns = MATRICES
    left, right = torch.randn(n_rows, n_inner), torch.randn(n_inner, n_columns)
    n_products = 20  # столько же, сколько длится проход, мерить незачем, а одно умножение слишком коротко

    def products() -> None:
        for _ in range(n_products):
            left @ right

    times = compare(work, products, rounds)
    return (
        count_flops(case) / times.our_median / (2 * n_rows * n_inner * n_columns * n_products / times.reference_median)
    )


def count_flops(case: Case) -> int:
    """Операций в проходе нашей модели: считает PyTorch по формам, без чисел."""
    with torch.device("meta"):
        model = case.build().eval()
    inputs = {name: tensor.to("meta") for name, tensor in case.inputs.items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs)
    return counter.get_total_flops()
