"""Чтение файлов с текстом: кодировка, столбцы, пустые и испорченные строки."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from modern_nets.finetune.data import Skip

FREQUENT = set("оеаинтсрвл")
"""Десять самых частых русских букв: вместе — больше половины текста."""


def read_text(path: Path, encoding: str | None = None) -> tuple[str, str]:
    """Читает файл в кодировке, которую назвали, или угадывает её.

    Args:
        path: Файл.
        encoding: Кодировка; None — угадать из UTF-8, UTF-16 с меткой и русских однобайтовых.

    Returns:
        Текст и имя кодировки.

    Raises:
        FileNotFoundError: файла нет.
        ValueError: это папка или не текст, кодировка неизвестна или не подходит.
    """
    if path.is_dir():
        raise ValueError(f"{path} — папка, а нужен файл с текстом.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"Файла {path} нет.") from error
    if encoding is None:
        encoding = guess_encoding(raw)
        if encoding is None:
            raise ValueError(
                f"Файл {path}: кодировка не угадана — это не UTF-8 и не похоже на русский текст в cp1251, koi8-r "
                "или cp866. Назовите её (--encoding latin-1) или пересохраните файл в UTF-8."
            )
    try:
        return raw.decode(encoding), encoding
    except LookupError as error:
        raise ValueError(f"Кодировки «{encoding}» Python не знает. Бывают utf-8, cp1251, koi8-r, utf-16.") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Файл {path} не в кодировке {encoding}: байт {raw[error.start]:#04x} на месте {error.start}. "
            "Уберите --encoding, чтобы она угадалась, или назовите другую."
        ) from error


def guess_encoding(raw: bytes) -> str | None:
    """Угадывает кодировку.

    Args:
        raw: Содержимое файла.

    Returns:
        Имя для `bytes.decode` или None, если ни одна не подходит.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in raw[:4096]:  # в тексте нулей не бывает
        return None
    try:
        raw.decode("utf-8")
        return "utf-8-sig"  # метка порядка байтов, если она есть, — не буква
    except UnicodeDecodeError:
        pass
    scores = {name: _russian_share(raw, name) for name in ("cp1251", "koi8-r", "cp866")}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0.35 else None


def _russian_share(raw: bytes, encoding: str) -> float:
    """Доля частых русских строчных среди нелатинских знаков, если прочесть байты в этой кодировке.

    Считаются буквы, стоящие подряд: «é» и «ü» западных кодировок стоят поодиночке.
    """
    text = raw.decode(encoding, "replace")
    n_foreign = sum(ord(letter) > 127 for letter in text)
    words = re.findall(r"[а-яё]{2,}", text, flags=re.IGNORECASE)
    return sum(letter in FREQUENT for word in words for letter in word) / max(1, n_foreign)


class Table:
    """Таблица с именами столбцов.

    Args:
        path: Файл .csv или .tsv.
        encoding: Кодировка; None — угадать.

    Attributes:
        columns: Имена столбцов.
        rows: Номер строки файла и её клетки.
        encoding: Кодировка.

    Raises:
        FileNotFoundError, ValueError: файла нет, он пуст или не читается.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        text, self.encoding = read_text(path, encoding)
        first = text.split("\n", 1)[0]
        if not first.strip():
            raise ValueError(f"Файл {path} пуст, или первая строка — не имена столбцов.")
        if path.suffix.lower() == ".tsv" or "\t" in first:
            settings = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}  # в TSV кавычки — обычные знаки (GLUE)
        else:
            settings = {"delimiter": max(",;", key=first.count)}
        csv.field_size_limit(10**8)
        reader = csv.reader(io.StringIO(text, newline=""), **settings)  # type: ignore[arg-type]
        try:
            self.columns = [name.strip() for name in next(reader)]
            self.rows = [(reader.line_num, cells) for cells in reader]
        except csv.Error as error:
            raise ValueError(f"Файл {path}, строка {reader.line_num}: не разобрать как таблицу ({error}).") from error

    def place(self, wanted: str | None, usual: Sequence[str], flag: str) -> int:
        """Номер столбца.

        Args:
            wanted: Имя, которое назвали; None — взять обычное.
            usual: Обычные имена.
            flag: Как назвать столбец в команде.

        Returns:
            Номер, от 0.

        Raises:
            ValueError: столбца нет; названы те, что есть.
        """
        for name in [wanted] if wanted else usual:
            if name in self.columns:
                return self.columns.index(str(name))
        asked = f"«{wanted}»" if wanted else " или ".join(f"«{name}»" for name in usual)
        raise ValueError(
            f"В {self.path} нет столбца {asked}. Есть: {', '.join(f'«{name}»' for name in self.columns)}. "
            f"Назовите нужный: {flag} имя."
        )

    def pairs(self, text_place: int, label_place: int) -> tuple[list[tuple[str, str]], list[Skip]]:
        """Тексты и метки; строки без текста или метки пропускаются.

        Args:
            text_place: Столбец текста.
            label_place: Столбец метки.

        Returns:
            Пары (текст, метка) и пропуски.
        """
        pairs, skipped = [], []
        for number, cells in self.rows:
            if not cells:
                continue  # пустая строка в конце файла
            if len(cells) != len(self.columns):
                reason = f"клеток {len(cells)}, а столбцов {len(self.columns)}"
            elif not cells[text_place].strip():
                reason = "пустой текст"
            elif not cells[label_place].strip():
                reason = "нет метки"
            else:
                pairs.append((cells[text_place].strip(), cells[label_place].strip()))
                continue
            skipped.append(Skip(f"{self.path}, строка {number}", reason))
        return pairs, skipped
