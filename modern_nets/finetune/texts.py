"""Тексты для обучения: таблицы CSV и TSV, отзывы курса, свой текст или папка кода."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from modern_nets.finetune.data import Skip, Split, check_classes, digest, is_hidden, stratified
from modern_nets.finetune.options import Options
from modern_nets.finetune.tables import Table, read_text
from modern_nets.training.shelf import END

if TYPE_CHECKING:
    from tokenizers import Tokenizer

REVIEWS = Path(__file__).parent.parent / "data" / "reviews.csv"
"""Отзывы, написанные для курса."""
REVIEW_LABELS = {"0": "недоволен", "1": "доволен"}
VALID_DOMAINS = 2
"""Столько областей из семи целиком откладывается на проверку: похожих отзывов по обе стороны не бывает."""
TEXT_COLUMNS, LABEL_COLUMNS = ("text", "sentence"), ("label",)
"""Столбцы, которые берутся, если их не назвали; sentence и label — в SST-2."""
SUFFIXES = {".txt", ".py", ".md"}
"""Какие файлы папки читать GPT."""
TABLE_SUFFIXES = {".csv", ".tsv", ".txt"}
"""Какие файлы читать классификатору текстов."""
GPT_VALID_SHARE = 0.1
"""Какая доля текста откладывается на проверку GPT."""
PIECE, WORD_END = 250_000, re.compile(r"(?<=\S)\s")
"""По столько символов текста разбирает токенизатор; где их можно разрезать."""


@dataclass
class Texts:
    """Тексты с классами.

    Attributes:
        texts: Тексты.
        labels: Номера их классов.
        classes: Имена классов.
        split: Обучающие и проверочные номера.
        identity: По чему узнать эти данные.
        skipped: Что пропущено и почему.
        notes: Что сказать читателю.
    """

    texts: list[str]
    labels: list[int]
    classes: list[str]
    split: Split
    identity: dict[str, str]
    skipped: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Corpus:
    """Тексты без классов.

    Attributes:
        train: Обучающие.
        valid: Проверочные.
        identity: По чему узнать эти данные.
        skipped: Что пропущено и почему.
        notes: Что сказать читателю.
    """

    train: list[str]
    valid: list[str]
    identity: dict[str, str]
    skipped: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load_texts(options: Options) -> Texts:
    """Читает тексты с классами.

    Args:
        options: Просьба.

    Returns:
        Тексты, разделённые на обучающие и проверочные.

    Raises:
        FileNotFoundError: файла нет.
        ValueError: нет столбца или текстов, класс один, кодировка не угадана.
    """
    if options.data == "reviews":
        if options.valid:
            raise ValueError("У reviews проверочные отзывы свои: --valid не нужен.")
        texts = _reviews(options)
    else:
        texts = _table(options)
    check_classes((texts.labels[i] for i in texts.split.train), texts.classes, options.data)
    return texts


def _reviews(options: Options) -> Texts:
    """Отзывы делятся по областям: целая область — по одну сторону."""
    table = Table(REVIEWS, "utf-8")
    text_place = table.place(options.text_column or "english", (), "--text-column")
    label_place = table.place(options.label_column or "label", (), "--label-column")
    pairs, skipped = table.pairs(text_place, label_place)
    domain = table.columns.index("domain")
    domains = [cells[domain] for _, cells in table.rows]
    order = sorted(set(domains))
    mixed = torch.randperm(len(order), generator=torch.Generator().manual_seed(options.seed)).tolist()
    held = {order[i] for i in mixed[:VALID_DOMAINS]}
    split = Split(
        [i for i, name in enumerate(domains) if name not in held],
        [i for i, name in enumerate(domains) if name in held],
    )
    notes = [f"Проверочные области: {', '.join(sorted(held))}; на них модель не учится."]
    pairs = [(text, REVIEW_LABELS.get(label, label)) for text, label in pairs]
    identity = {"data": "reviews", "text_column": table.columns[text_place]}
    return _with_classes(pairs, split, identity, skipped, notes)


def _table(options: Options) -> Texts:
    path, valid = _table_files(options)
    if valid is not None and valid.resolve() == path.resolve():
        raise ValueError(f"Обучающий и проверочный файл — один и тот же {path}: уберите --valid, и часть отложится.")
    table = Table(path, options.encoding)
    places = (
        table.place(options.text_column, TEXT_COLUMNS, "--text-column"),
        table.place(options.label_column, LABEL_COLUMNS, "--label-column"),
    )
    if places[0] == places[1]:
        raise ValueError(f"Текст и метка — один и тот же столбец «{table.columns[places[0]]}».")
    pairs, skipped = table.pairs(*places)
    if not pairs:
        raise ValueError(
            f"В {path} нет ни одной строки с текстом и меткой: строк — {len(table.rows)}{_first_of(skipped)}."
        )
    notes = _encoding_notes(path, table.encoding, options)
    identity = {"data": str(path.resolve()), "text_column": table.columns[places[0]]}
    n_train = len(pairs)
    split = None
    if valid is not None:
        other = Table(valid, options.encoding)
        text_name, label_name = (table.columns[place] for place in places)
        more, more_skipped = other.pairs(
            other.place(text_name, (), "--text-column"), other.place(label_name, (), "--label-column")
        )
        if not more:
            raise ValueError(f"В {valid} нет ни одной строки с текстом и меткой: проверять не на чем.")
        strange = sorted({label for _, label in more} - {label for _, label in pairs})
        if strange:
            raise ValueError(f"В {valid} есть метка «{strange[0]}», а в {path} её нет: такому модель не учили.")
        seen = {text for text, _ in pairs}
        repeated = sum(text in seen for text, _ in more)
        if repeated:
            notes.append(f"Проверочных текстов, которые есть и среди обучающих, — {repeated} из {len(more)}.")
        split = Split(list(range(n_train)), list(range(n_train, n_train + len(more))))
        pairs, skipped = pairs + more, skipped + more_skipped
    return _with_classes(pairs, split, identity, skipped, notes, seed=options.seed)


def _table_files(options: Options) -> tuple[Path, Path | None]:
    """Обучающий файл и проверочный; в папке GLUE это train.tsv и dev.tsv."""
    path = Path(os.path.expanduser(options.data))
    valid = Path(os.path.expanduser(options.valid)) if options.valid else None
    if path.is_dir():
        found = [path / f"train{suffix}" for suffix in (".tsv", ".csv") if (path / f"train{suffix}").is_file()]
        if not found:
            raise ValueError(
                f"В папке {path} нет train.tsv или train.csv. Укажите сам файл: --data {path / 'тексты.csv'}."
            )
        names = [f"{name}{found[0].suffix}" for name in ("dev", "valid", "validation")]
        return found[0], valid or next((path / name for name in names if (path / name).is_file()), None)
    if path.suffix.lower() not in TABLE_SUFFIXES and path.is_file():
        raise ValueError(f"{path} — не таблица: нужен CSV или TSV, у которого в первой строке имена столбцов.")
    return path, valid


def _first_of(skipped: list[Skip]) -> str:
    """Сколько пропущено и почему — для ошибки, до которой дело дошло из-за пропусков."""
    if not skipped:
        return ""
    return f" (пропущено строк — {len(skipped)}, первая — {skipped[0].name}: {skipped[0].reason})"


def _encoding_notes(path: Path, encoding: str, options: Options) -> list[str]:
    if options.encoding or encoding.startswith("utf"):
        return []
    return [f"Кодировка {path.name} угадана: {encoding}. Если буквы не те, назовите её: --encoding."]


def _with_classes(
    pairs: list[tuple[str, str]],
    split: Split | None,
    identity: dict[str, str],
    skipped: list[Skip],
    notes: list[str],
    *,
    seed: int = 0,
) -> Texts:
    names = {label for _, label in pairs}
    classes = sorted(names, key=int) if all(re.fullmatch(r"-?\d+", name) for name in names) else sorted(names)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [numbers[label] for _, label in pairs]
    texts = [text for text, _ in pairs]
    if split is None:
        check_classes(labels, classes, identity["data"] + _first_of(skipped))
        split = stratified(labels, texts, seed)
    identity = identity | {"data_digest": digest(part for pair in pairs for part in pair)}
    return Texts(texts, labels, classes, split, identity, skipped, notes)


def load_corpus(options: Options) -> Corpus:
    """Читает текст для GPT: файл или папку файлов .txt, .py и .md.

    У папки на проверку откладываются целые файлы, у файла — его последняя десятая часть.

    Args:
        options: Просьба.

    Returns:
        Обучающие и проверочные тексты.

    Raises:
        FileNotFoundError: файла нет.
        ValueError: текста нет, кодировка не угадана.
    """
    path = Path(os.path.expanduser(options.data))
    if not path.exists():
        raise FileNotFoundError(
            f"Нет ни файла, ни папки {path}. Нужен текст или папка с файлами {', '.join(sorted(SUFFIXES))}."
        )
    texts, skipped, notes = _read_corpus(path, options)
    if options.valid:
        valid, more, _ = _read_corpus(Path(os.path.expanduser(options.valid)), options)
        known = set(valid)
        train, skipped = [text for text in texts if text not in known], skipped + more
        if not train:
            raise ValueError(
                f"Всё, что есть в {path}, есть и в {options.valid}: учить не на чем. Дайте другой --valid."
            )
        if repeated := len(texts) - len(train):
            notes.append(f"Проверочных текстов среди обучающих — {repeated}: на них модель не учится.")
    elif len(texts) == 1:
        text = texts[0]
        cut = text.rfind("\n", 0, int(len(text) * (1 - GPT_VALID_SHARE))) + 1 or int(len(text) * (1 - GPT_VALID_SHARE))
        train, valid = [text[:cut]], [text[cut:]]
        notes.append("На проверку отложена последняя десятая часть текста.")
    else:
        order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(options.seed)).tolist()
        n_valid = max(1, round(GPT_VALID_SHARE * len(texts)))
        held = set(order[:n_valid])
        train = [text for i, text in enumerate(texts) if i not in held]
        valid = [text for i, text in enumerate(texts) if i in held]
        notes.append(f"Файлов — {len(texts)}; на проверку отложено целиком — {n_valid}.")
    identity = {"data": str(path.resolve()), "data_digest": digest([*train, "\0", *valid])}
    return Corpus(train, valid, identity, skipped, notes)


def _read_corpus(path: Path, options: Options) -> tuple[list[str], list[Skip], list[str]]:
    if path.is_file() or not path.exists():
        text, encoding = read_text(path, options.encoding)
        if not text.strip():
            raise ValueError(f"Файл {path} пуст: учить не на чем.")
        return [text], [], _encoding_notes(path, encoding, options)
    visible = (p for p in path.rglob("*") if not is_hidden(p, path))
    files = sorted(p for p in visible if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise ValueError(f"В папке {path} нет файлов {', '.join(sorted(SUFFIXES))}.")
    texts: dict[str, None] = {}  # одинаковые файлы — один раз: иначе копия попала бы и в проверку
    skipped = []
    for file in files:
        try:
            text, _ = read_text(file, options.encoding)
        except (OSError, ValueError) as error:
            skipped.append(Skip(str(file), str(error)))
            continue
        if not text.strip():
            skipped.append(Skip(str(file), "пустой файл"))
        elif text in texts:
            skipped.append(Skip(str(file), "такой же файл уже есть"))
        else:
            texts[text] = None
    if not texts:
        raise ValueError(f"В папке {path} не прочёлся ни один файл из {len(files)}: {skipped[0].reason}")
    return list(texts), skipped, []


def token_tape(texts: list[str], tokenizer: "Tokenizer") -> Tensor:
    """Лента токенов: тексты подряд, перед каждым — токен конца предыдущего, если он у модели есть.

    Длинный текст разбирается по частям: описание токена в tokenizers занимает в сто раз больше места, чем номер.

    Args:
        texts: Тексты.
        tokenizer: Токенизатор.

    Returns:
        Номера токенов, форма (N,).
    """
    end = tokenizer.token_to_id(END)
    border = [*([] if end is None else [end]), *tokenizer.encode("").ids]
    tape = []
    for text in texts:
        tape.append(torch.tensor(border, dtype=torch.long))
        pieces = list(_pieces(text))
        for first in range(0, len(pieces), 16):  # части разбираются параллельно
            for encoding in tokenizer.encode_batch_fast(pieces[first : first + 16], add_special_tokens=False):
                tape.append(torch.tensor(encoding.ids, dtype=torch.long))
    return torch.cat(tape)


def _pieces(text: str) -> Iterator[str]:
    """Части текста, стык которых — перед пробелом или концом строки после буквы: через него токен GPT не переходит."""
    start = 0
    while len(text) - start > PIECE:
        border = WORD_END.search(text, start + PIECE)
        if border is None:
            break
        yield text[start : border.start()]
        start = border.start()
    yield text[start:]


def padded(rows: Sequence[Sequence[int]], pad_token_id: int) -> tuple[Tensor, Tensor]:
    """Складывает тексты разной длины в один пакет.

    Args:
        rows: Номера токенов текстов.
        pad_token_id: Номер заполнителя.

    Returns:
        Номера токенов с заполнителями справа и маска (1 — настоящий токен), обе формы (B, T).
    """
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=pad_token_id)
    sizes = torch.tensor([len(row) for row in rows])
    return ids, (torch.arange(ids.shape[1]) < sizes[:, None]).long()
