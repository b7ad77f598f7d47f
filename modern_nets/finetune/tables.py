"""Чтение файлов с текстом: кодировка, столбцы, пустые и испорченные строки."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    except PermissionError as error:
        raise PermissionError(f"Файл {path} не открыть: нет прав.") from error
    if raw.startswith(b"PK\x03\x04"):
        raise ValueError(f"{path} — архив или таблица Excel, а нужен текст. В Excel: «Сохранить как» → CSV UTF-8.")
    if encoding is None:
        encoding = guess_encoding(raw)
        if encoding is None:
            raise ValueError(
                f"Файл {path}: не текст или кодировка не угадана — это не UTF-8 и не похоже на русский текст "
                "в cp1251, koi8-r или cp866. Назовите её (--encoding latin-1) или пересохраните файл в UTF-8."
            )
    try:
        return raw.decode(encoding).removeprefix("\ufeff"), encoding  # метка порядка байтов — не буква
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
        rows: Строка файла, в которой запись начинается, и её клетки.
        encoding: Кодировка.
        delimiter: Чем разделены клетки.

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
            self.delimiter, quoting = "\t", csv.QUOTE_NONE  # в TSV кавычки — обычные знаки (GLUE)
        else:
            self.delimiter, quoting = max(",;", key=first.count), csv.QUOTE_MINIMAL
        csv.field_size_limit(10**8)
        lenient: dict[str, Any] = {"delimiter": self.delimiter, "quoting": quoting}
        try:
            records = self._records(text, lenient | {"strict": True})
        except csv.Error:  # кавычка посреди слова — не повод отказать
            try:
                records = self._records(text, lenient)
            except csv.Error as error:
                raise ValueError(f"Файл {path}, {error}.") from error
        (_, header), *self.rows = records
        self.columns = [name.strip() for name in header]

    def _records(self, text: str, settings: dict[str, Any]) -> list[tuple[int, list[str]]]:
        """Записи таблицы и строки файла, в которых они начинаются."""
        reader = csv.reader(io.StringIO(text, newline=""), **settings)
        found, begins = [], 1
        try:
            for cells in reader:
                found.append((begins, cells))
                begins = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                raise csv.Error(f"строка {begins}: не разобрать как таблицу ({error})") from error
            raise ValueError(  # она съела бы все строки до конца
                f"Файл {self.path}: кавычка, открытая в строке {begins}, не закрыта до конца файла. Закройте её."
            ) from error
        return found

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
            same = [column for column in self.columns if column == name] or [
                column for column in self.columns if column.casefold() == str(name).casefold()
            ]
            if len(same) > 1:
                raise ValueError(f"В {self.path} столбцов «{same[0]}» — {len(same)}. Оставьте один.")
            if same:
                return self.columns.index(same[0])
        asked = f"«{wanted}»" if wanted else " или ".join(f"«{name}»" for name in usual)
        raise ValueError(
            f"В {self.path} нет столбца {asked}. Есть: {', '.join(f'«{name}»' for name in self.columns)}. "
            f"Назовите нужный: {flag} имя."
        )

    def fault(self, cells: list[str], text_place: int) -> str | None:
        """Почему текста в строке не взять.

        Args:
            cells: Клетки строки.
            text_place: Столбец текста.

        Returns:
            Причина; None, если всё в порядке.
        """
        if len(cells) > len(self.columns) and self.delimiter != "\t":
            return (
                f"клеток {len(cells)}, а столбцов {len(self.columns)}: текст, в котором есть «{self.delimiter}», "
                "берут в кавычки"
            )
        if len(cells) != len(self.columns):
            return f"клеток {len(cells)}, а столбцов {len(self.columns)}"
        return None if cells[text_place].strip() else "пустой текст"

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
            reason = self.fault(cells, text_place)
            if reason is None and not cells[label_place].strip():
                reason = "нет метки"
            if reason is None:
                pairs.append((cells[text_place].strip(), cells[label_place].strip()))
            else:
                skipped.append(Skip(f"{self.path}, строка {number}", reason))
        return pairs, skipped
