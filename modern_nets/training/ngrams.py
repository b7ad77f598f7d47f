"""N-граммная модель — соперник, которого нейросеть обязана обойти.

Интерполированное сглаживание Кнезера — Нея: у каждого порядка из счётчика вычитается постоянная, а отнятое
делится так, как предсказывает модель порядком ниже. Низшие порядки считают не вхождения, а разных левых соседей.

Источник: Kneser, Ney, «Improved Backing-off for M-gram Language Modeling», 1995; постоянная — по Ney, Essen,
Kneser, «On Structuring Probabilistic Dependences in Stochastic Language Modelling», 1994.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Order:
    """Счётчики одного порядка: что отнято у каждой n-граммы и сколько у контекста всего."""

    grams: Tensor
    counts: Tensor
    contexts: Tensor
    totals: Tensor
    n_followers: Tensor
    discount: float


class NGrams:
    """Вероятности следующего символа по нескольким предыдущим.

    Args:
        windows: Все окна обучающего текста: контекст и символ за ним, форма (N, порядок), целые от 0 до n_symbols − 1.
        n_symbols: Сколько всего символов.

    Raises:
        ValueError: окон нет или номера символов вне границ.
    """

    def __init__(self, windows: Tensor, n_symbols: int) -> None:
        if windows.dim() != 2 or not len(windows):
            raise ValueError(f"Нужны окна формы (N, порядок), а пришло {tuple(windows.shape)}.")
        if int(windows.min()) < 0 or int(windows.max()) >= n_symbols:
            raise ValueError(f"Номера символов — от 0 до {n_symbols - 1}, а пришли вне этих границ.")
        if n_symbols ** windows.shape[1] >= 2**63:
            raise ValueError(f"{n_symbols} символов в степени {windows.shape[1]} не помещаются в 64 бита.")
        self.n_symbols = n_symbols
        self.orders = []
        rows, counts = windows.long(), torch.ones(len(windows), dtype=torch.long)
        for _ in range(windows.shape[1]):  # от высшего порядка к низшему
            keys = self._keys(rows)
            grams, index = keys.unique(return_inverse=True)
            counts = torch.zeros_like(grams).index_add_(0, index, counts)
            once, twice = int((counts == 1).sum()), int((counts == 2).sum())
            contexts, index = (grams // n_symbols).unique(return_inverse=True)
            totals = torch.zeros_like(contexts).index_add_(0, index, counts)
            n_followers = torch.zeros_like(contexts).index_add_(0, index, torch.ones_like(counts))
            # Нечего вычесть — невиданному символу не осталось бы ничего.
            discount = once / (once + 2 * twice) if once else 0.5
            self.orders.append(_Order(grams, counts, contexts, totals, n_followers, discount))
            # Ниже порядком: разные левые соседи, то есть разные n-граммы без первого символа.
            rows = grams[:, None] // n_symbols ** torch.arange(rows.shape[1] - 2, -1, -1) % n_symbols
            counts = torch.ones_like(grams)

    def _keys(self, rows: Tensor) -> Tensor:
        """Окна → одно число на окно: запись в системе счисления с основанием n_symbols."""
        return (rows.long() * self.n_symbols ** torch.arange(rows.shape[1] - 1, -1, -1)).sum(dim=1)

    def probabilities(self, windows: Tensor) -> Tensor:
        """Вероятность последнего символа каждого окна.

        Args:
            windows: Контекст и символ за ним, форма (N, порядок).

        Returns:
            Вероятности, форма (N,).
        """
        if windows.shape[1] != len(self.orders) or int(windows.min()) < 0 or int(windows.max()) >= self.n_symbols:
            raise ValueError(f"Нужны окна из {len(self.orders)} номеров от 0 до {self.n_symbols - 1}.")
        result = torch.full((len(windows),), 1 / self.n_symbols, dtype=torch.float64)
        for n, order in zip(range(1, len(self.orders) + 1), reversed(self.orders), strict=True):
            keys = self._keys(windows[:, -n:])
            count = _look_up(order.grams, order.counts, keys)
            total = _look_up(order.contexts, order.totals, keys // self.n_symbols)
            followers = _look_up(order.contexts, order.n_followers, keys // self.n_symbols)
            seen = (count - order.discount).clamp(min=0) + order.discount * followers * result
            result = torch.where(total > 0, seen / total.clamp(min=1), result)
        return result

    def bits(self, windows: Tensor) -> Tensor:
        """Удивление последнего символа каждого окна в битах: −log2 его вероятности.

        Args:
            windows: Контекст и символ за ним, форма (N, порядок).

        Returns:
            Биты, форма (N,).
        """
        return -self.probabilities(windows).log2()


def _look_up(keys: Tensor, values: Tensor, wanted: Tensor) -> Tensor:
    """Значения по возрастающим ключам; 0, если ключа нет."""
    index = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return torch.where(keys[index] == wanted, values[index], 0).double()
