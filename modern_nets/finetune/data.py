"""Общее у картинок и текстов: пропущенные примеры, деление на обучение и проверку, порядок внутри эпохи."""

import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from modern_nets.disk import replacing

VALID_SHARE = 0.2
"""Какая доля примеров откладывается на проверку, если проверочных не дали."""
SHOWN_SKIPS = 5
"""Сколько пропущенных назвать на экране; все — в skipped.csv."""


class Skip(NamedTuple):
    """Пропущенный пример.

    Attributes:
        name: Файл или строка файла.
        reason: Почему пропущен.
    """

    name: str
    reason: str


class Split(NamedTuple):
    """Номера примеров.

    Attributes:
        train: Обучающие.
        valid: Проверочные.
    """

    train: list[int]
    valid: list[int]


def stratified(labels: Sequence[int], groups: Sequence[Hashable], seed: int) -> Split:
    """Откладывает пятую часть примеров каждого класса; одинаковые примеры всегда по одну сторону.

    Args:
        labels: Номера классов.
        groups: Что считать одним и тем же: у примеров одной группы значения равны.
        seed: Зерно.

    Returns:
        Обучающие и проверочные номера.

    Raises:
        ValueError: примеров так мало, что проверять было бы не на чем.
    """
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    by_label: dict[int, list[list[int]]] = {}
    for same in members.values():
        by_label.setdefault(labels[same[0]], []).append(same)
    generator = torch.Generator().manual_seed(seed)
    train: list[int] = []
    valid: list[int] = []
    for label in sorted(by_label):
        pieces = by_label[label]
        order = torch.randperm(len(pieces), generator=generator).tolist()
        n_valid = 0 if len(pieces) == 1 else max(1, round(VALID_SHARE * len(pieces)))
        for place, piece in enumerate(order):
            (valid if place < n_valid else train).extend(pieces[piece])
    if not valid:
        raise ValueError("Проверять не на чем: разных примеров в каждом классе — по одному. Добавьте примеров.")
    return Split(sorted(train), sorted(valid))


def check_classes(labels: Iterable[int], classes: Sequence[str], where: str) -> None:
    """Проверяет, что различать есть что.

    Args:
        labels: Номера классов обучающих примеров.
        classes: Имена классов.
        where: Откуда примеры.

    Raises:
        ValueError: класс один, классов почти столько же, сколько примеров, у класса нет обучающих примеров.
    """
    counts = Counter(labels)
    n = sum(counts.values())
    if len(classes) < 2:
        raise ValueError(f"{where}: класс один — «{classes[0]}», и различать нечего. Нужно хотя бы два.")
    if len(classes) > 20 and len(classes) > n / 2:
        raise ValueError(
            f"{where}: разных меток — {len(classes)}, а обучающих примеров — {n}. Это похоже не на классы, а на номера "
            "или числа. Укажите столбец с классами (--label-column) или соберите по несколько примеров на класс."
        )
    if empty := [name for number, name in enumerate(classes) if not counts[number]]:
        raise ValueError(f"{where}: у класса «{empty[0]}» нет ни одного обучающего примера.")


class Epochs:
    """Порядок обучения: в каждой эпохе каждый пример встречается один раз, пакеты почти равны.

    Args:
        n: Число примеров.
        batch_size: Наибольший пакет.
        seed: Зерно.
    """

    def __init__(self, n: int, batch_size: int, seed: int) -> None:
        self.n, self.batch_size, self.seed = n, batch_size, seed
        self.n_batches = math.ceil(n / batch_size)
        self._shuffled: tuple[int, Tensor] = (-1, torch.empty(0))

    def rows(self, step: int) -> Tensor:
        """Номера примеров шага; зависят только от зерна и номера шага.

        Args:
            step: Номер шага, от 0.

        Returns:
            Номера, форма (B,); B различаются не больше чем на единицу.
        """
        epoch, place = divmod(step, self.n_batches)
        if self._shuffled[0] != epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_000 + epoch)
            self._shuffled = epoch, torch.randperm(self.n, generator=generator)
        first, last = self.n * place // self.n_batches, self.n * (place + 1) // self.n_batches
        return self._shuffled[1][first:last]


def is_hidden(path: Path, root: Path) -> bool:
    """Скрыт ли файл: точкой начинается его имя или имя папки внутри `root`.

    Args:
        path: Файл.
        root: Папка, которую назвали.

    Returns:
        True, если скрыт.
    """
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def digest(parts: Iterable[bytes | str]) -> str:
    """Отпечаток данных: по нему папку обучения узнают.

    Args:
        parts: Байты и строки.

    Returns:
        Шестнадцать шестнадцатеричных цифр.
    """
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "little") + raw)
    return total.hexdigest()[:16]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Таблица в виде CSV.

    Args:
        header: Имена столбцов.
        rows: Строки.

    Returns:
        Текст файла.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def write_whole(path: Path, content: str | bytes) -> None:
    """Пишет файл целиком или никак.

    Args:
        path: Файл.
        content: Текст (имя файла, которое не в UTF-8, записывается кодами) или байты.

    Raises:
        OSError: записать не удалось; прежний файл, если был, цел.
    """
    try:
        with replacing(path) as draft:
            draft.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    except OSError as error:
        raise OSError(f"Файл {path} не записался: {error}. Прежний, если был, цел.") from error
