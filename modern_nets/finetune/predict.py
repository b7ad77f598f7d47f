"""Ответы дообученной модели на картинки, тексты и начала."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch

from modern_nets.embedded import at_hand, names
from modern_nets.finetune.data import Skip, csv_text, is_hidden, write_whole
from modern_nets.finetune.models import CLASSES, check_architecture, read_tokenizer
from modern_nets.finetune.pictures import SUFFIXES as PICTURE_SUFFIXES
from modern_nets.finetune.tables import Table, read_text
from modern_nets.finetune.texts import SUFFIXES as TEXT_SUFFIXES
from modern_nets.finetune.texts import TABLE_SUFFIXES, TEXT_COLUMNS, padded
from modern_nets.generate import generate
from modern_nets.pictures import pixel_values, read_picture
from modern_nets.training.measures import percent
from modern_nets.training.processes import find_device
from modern_nets.training.shelf import END

BATCH = 32
"""Сколько примеров читать за раз."""
SHOWN_TEXT = 60
"""Сколько знаков текста показать в таблице."""
Answer = tuple[str, ...]
"""Строка таблицы ответов."""


def predict(
    folder: Path,
    files: Sequence[Path],
    *,
    out: Path | None = None,
    text_column: str | None = None,
    encoding: str | None = None,
    device: str = "auto",
    max_new_tokens: int | None = None,
    temperature: float = 0.0,
    top_p: float | None = None,
    seed: int = 0,
) -> list[Answer]:
    """Отвечает на каждый файл и печатает таблицу; что не прочлось, называет, пропускает и считает.

    Args:
        folder: Папка обучения (берётся best) или папка модели.
        files: Картинки и папки с ними, тексты и таблицы или начала для GPT.
        out: Куда ещё записать таблицу; такого файла ещё не должно быть.
        text_column: Столбец текста в таблице.
        encoding: Кодировка текстов.
        device: Устройство.
        max_new_tokens: Сколько токенов дописать; None — 60, но не больше половины окна.
        temperature: 0 — жадно; больше — случайнее.
        top_p: Только вероятные токены, всего на долю P.
        seed: Зерно случайного выбора.

    Returns:
        Строки таблицы.

    Raises:
        FileNotFoundError: модели нет.
        ValueError: не ответила ни разу; `out` уже есть.
        OSError: таблица не записалась.
    """
    if out is not None:
        _check_writable(out)
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed — число от 0 до 2**63, а пришло {seed}.")
    place = _model_folder(folder)
    architecture = check_architecture(place)
    where = find_device(device)
    model: Any = CLASSES[architecture].from_pretrained(place, dtype=torch.float32).to(where)
    skipped: list[Skip] = []
    header: Answer
    if architecture == "gpt":
        header = ("файл", "продолжение")
        sampling = {"temperature": temperature, "top_p": top_p}
        answers = _continued(model, place, files, skipped, encoding, max_new_tokens, seed, sampling)
    elif architecture == "bert":
        header = ("файл", "строка", "класс", "вероятность", "текст")
        column = text_column or _asked_column(folder)
        answers = _classified_texts(model, place, files, skipped, encoding, column)
    else:
        header = ("файл", "класс", "вероятность", "второй", "его вероятность")
        answers = _classified_pictures(model, place, files, skipped)
    rows = []
    for row in answers:
        rows.append(row)
        print(_shown(architecture, row), flush=True)
    for skip in skipped:
        print(f"  пропущено: {skip.name} — {skip.reason}")
    print(f"Ответов — {len(rows)}, пропущено — {len(skipped)}.")
    if not rows:
        raise ValueError("Ни одного ответа: прочесть не удалось ничего.")
    if out is not None:
        write_whole(out, csv_text(header, rows))
        print(f"Таблица: {out}")
    return rows


def _check_writable(out: Path) -> None:
    """Проверяет место для таблицы до того, как модель на всё ответит."""
    if out.exists():
        raise ValueError(f"Файл {out} уже есть. Укажите другой: --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise OSError(f"Таблицу {out} не записать: {error.strerror}. Укажите другое место: --out.") from error


def _model_folder(folder: Path) -> Path:
    if str(folder) in names() and not folder.is_dir():
        return at_hand(str(folder))
    folder = Path(os.path.expanduser(folder))
    if (folder / "best").is_dir():
        return folder / "best"
    if (folder / "run.json").is_file():
        raise FileNotFoundError(f"В {folder} нет обученной модели (папки best): не прошло ни одной эпохи.")
    if not folder.is_dir():
        raise FileNotFoundError(f"Папки {folder} нет. Нужна папка обучения (--out команды finetune) или модели.")
    return folder


def _asked_column(folder: Path) -> str | None:
    """Столбец, по которому модель учили."""
    path = Path(os.path.expanduser(folder)) / "run.json"
    return json.loads(path.read_text(encoding="utf-8")).get("text_column") if path.is_file() else None


def _class_rows(model: Any, logits: torch.Tensor) -> Iterator[list[tuple[str, str]]]:
    """По две самые вероятные пары (класс, вероятность) на пример."""
    names = model.hf_extra.get("id2label") or {}
    best = logits.float().softmax(dim=-1).topk(min(2, logits.shape[-1]))
    for chances, numbers in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        yield [(names.get(str(i), str(i)), f"{chance:.4f}") for i, chance in zip(numbers, chances, strict=True)]


@torch.no_grad()
def _classified_pictures(model: Any, place: Path, files: Sequence[Path], skipped: list[Skip]) -> Iterator[Answer]:
    mode = "L" if model.config.n_channels == 1 else "RGB"
    device = next(model.parameters()).device

    def answer(batch: list[tuple[Path, Any]]) -> Iterator[Answer]:
        values = pixel_values([image for _, image in batch], place)
        pairs = zip(batch, _class_rows(model, model(values.to(device)).logits), strict=True)
        for (path, _), found in pairs:
            yield (str(path), *(part for pair in found for part in pair))

    batch: list[tuple[Path, Any]] = []
    for path in _spread(files, PICTURE_SUFFIXES, skipped):
        try:
            batch.append((path, read_picture(path, mode=mode)))
        except (OSError, ValueError) as error:
            skipped.append(Skip(str(path), str(error)))
        if len(batch) == BATCH:
            yield from answer(batch)
            batch = []
    if batch:
        yield from answer(batch)


@torch.no_grad()
def _classified_texts(
    model: Any, place: Path, files: Sequence[Path], skipped: list[Skip], encoding: str | None, column: str | None
) -> Iterator[Answer]:
    tokenizer, device = read_tokenizer(place), next(model.parameters()).device
    tokenizer.enable_truncation(_n_tokens(place, model.config.max_tokens))
    found: list[tuple[str, str, str]] = []  # файл, строка, текст
    for path in _spread(files, TABLE_SUFFIXES, skipped):
        try:
            found += _lines(path, encoding, column, skipped)
        except (OSError, ValueError) as error:
            skipped.append(Skip(str(path), str(error)))
    for start in range(0, len(found), BATCH):
        part = found[start : start + BATCH]
        encoded = tokenizer.encode_batch([text for _, _, text in part])
        ids, mask = padded([encoding.ids for encoding in encoded], model.config.pad_token_id or 0)
        logits = model(ids.to(device), mask.to(device)).logits
        for (file, line, text), classes in zip(part, _class_rows(model, logits), strict=True):
            yield (file, line, *classes[0], text)


def _n_tokens(place: Path, longest: int) -> int:
    """Сколько токенов модель читала, когда училась; если не сказано, сколько читает вообще."""
    path = place / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    asked = settings.get("model_max_length")
    return min(longest, asked) if isinstance(asked, int) and asked > 2 else longest


def _lines(path: Path, encoding: str | None, column: str | None, skipped: list[Skip]) -> list[tuple[str, str, str]]:
    """Тексты файла: у таблицы — столбец, у .txt — весь файл."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        text = read_text(path, encoding)[0].strip()
        if not text:
            raise ValueError("пустой файл")
        return [(str(path), "", text)]
    table = Table(path, encoding)
    place = table.place(column, TEXT_COLUMNS, "--text-column")
    lines = []
    for number, cells in table.rows:
        if not cells:
            continue  # пустая строка в конце файла
        if reason := table.fault(cells, place):
            skipped.append(Skip(f"{path}, строка {number}", reason))
        else:
            lines.append((str(path), str(number), cells[place].strip()))
    if not lines:
        raise ValueError("в таблице нет ни одного текста")
    return lines


def _continued(
    model: Any,
    place: Path,
    files: Sequence[Path],
    skipped: list[Skip],
    encoding: str | None,
    asked: int | None,
    seed: int,
    sampling: dict[str, Any],
) -> Iterator[Answer]:
    tokenizer, device = read_tokenizer(place), next(model.parameters()).device
    window = model.config.max_tokens
    max_new_tokens = min(60, window // 2) if asked is None else asked
    end, room = tokenizer.token_to_id(END), window - max_new_tokens
    if room < 1 or max_new_tokens < 1:
        raise ValueError(f"--max-new-tokens — от 1 до {window - 1}, а пришло {max_new_tokens}.")
    for path in _spread(files, TEXT_SUFFIXES, skipped):
        try:
            text = read_text(path, encoding)[0].rstrip("\n")
            if not text.strip():
                raise ValueError("пустой файл")
        except (OSError, ValueError) as error:
            skipped.append(Skip(str(path), str(error)))
            continue
        ids = ([] if end is None else [end]) + tokenizer.encode(text).ids
        start = torch.tensor([ids[-room:]], device=device)  # от длинного начала — его конец
        generator = torch.Generator(device).manual_seed(seed)
        stop = [] if end is None else [end]
        made = generate(model, start, max_new_tokens, stop_tokens=stop, generator=generator, **sampling)
        yield (str(path), tokenizer.decode(made[0, start.shape[1] :].tolist()))


def _spread(files: Sequence[Path], suffixes: set[str], skipped: list[Skip]) -> Iterator[Path]:
    """Файлы по порядку; вместо папки — подходящие файлы из неё."""
    for path in (Path(os.path.expanduser(file)) for file in files):
        if not path.is_dir():
            yield path
            continue
        visible = [p for p in path.rglob("*") if p.is_file() and not is_hidden(p, path)]
        inside = sorted(p for p in visible if p.suffix.lower() in suffixes)
        if not inside:
            skipped.append(Skip(str(path), f"в папке нет файлов {', '.join(sorted(suffixes))}"))
        elif other := len(visible) - len(inside):
            skipped.append(Skip(str(path), f"файлов другого вида — {other}"))
        yield from inside


def _shown(architecture: str, row: Answer) -> str:
    if architecture == "gpt":
        return f"— {row[0]}\n{row[1]}"
    if architecture == "bert":
        file, line, name, chance, text = row
        where = f"{file}:{line}" if line else file
        brief = text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"
        return f"{where}  {name}  {percent(float(chance))}  {brief}"
    file, *pairs = row
    shown = [f"{name} {percent(float(chance))}" for name, chance in zip(pairs[::2], pairs[1::2], strict=True)]
    return "  ".join([file, *shown])
