"""Деление данных, меры с доверительным интервалом и их запись: сколько бы ни было примеров, видно, чему верить."""

import hashlib
import math
from typing import Any

from torch import Tensor


def point_of(text: str) -> float:
    """Место строки на отрезке от 0 до 1: случайное, но всегда одно и то же. По нему данные делят на части.

    Args:
        text: Строка.

    Returns:
        Число от 0 до 1.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:2]) / 65536


def share(n_right: int, n: int) -> dict[str, Any]:
    """Доля и её 95-процентный интервал Уилсона.

    Args:
        n_right: Сколько раз вышло.
        n: Из скольких.

    Returns:
        Словарь: value — доля, low и high — границы, n — число примеров.

    Raises:
        ValueError: примеров нет.

    Источник: Wilson, «Probable Inference, the Law of Succession, and Statistical Inference», 1927.
    """
    if n < 1:
        raise ValueError(f"Чтобы посчитать долю, нужен хотя бы один пример, а их {n}.")
    z, p = 1.96, n_right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = max(0.0, round(middle - half, 4)), round(middle + half, 4)  # без max бывает «-0.0»
    return {"value": round(p, 4), "low": low, "high": high, "n": n}


def ratio(totals: Tensor, sizes: Tensor) -> dict[str, Any]:
    """Отношение сумм, например битов к байтам, с 95-процентным интервалом по независимым кускам.

    Args:
        totals: Числители кусков, форма (N,).
        sizes: Знаменатели, форма (N,).

    Returns:
        Словарь: value — отношение, low и high — границы, n — число кусков.

    Источник: оценка дисперсии отношения — Cochran, «Sampling Techniques», 1977, раздел 6.3.
    """
    totals, sizes = totals.double(), sizes.double()
    n, value = len(totals), float(totals.sum() / sizes.sum())
    spread = float(((totals - value * sizes) ** 2).sum() / max(1, n - 1))
    half = 1.96 * math.sqrt(spread * n) / float(sizes.sum())
    return {"value": round(value, 4), "low": round(value - half, 4), "high": round(value + half, 4), "n": n}


def seeds(values: list[float]) -> dict[str, Any]:
    """Среднее и крайние значения нескольких обучений.

    Args:
        values: По числу на зерно.

    Returns:
        Словарь: value — среднее, low и high — наименьшее и наибольшее, runs — все.
    """
    rounded = [round(value, 4) for value in values]
    return {"value": round(sum(values) / len(values), 4), "low": min(rounded), "high": max(rounded), "runs": rounded}


def decimal(value: float, digits: int) -> str:
    """Число по-русски.

    Args:
        value: Число.
        digits: Знаков после запятой.

    Returns:
        Строка с десятичной запятой.
    """
    return f"{value:.{digits}f}".replace(".", ",")


def percent(value: float) -> str:
    """Доля в процентах по-русски.

    Args:
        value: Доля от 0 до 1.

    Returns:
        Строка вида «93,5 %».
    """
    return f"{decimal(100 * value, 1)} %"
