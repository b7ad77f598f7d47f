"""Записи: что вывели блоки страницы в последний раз и от чего это зависит.

Запись годна, пока не изменилось ничего из того, от чего зависит вывод: развёрнутый код, загруженные файлы
modern_nets, прочитанные данные, закреплённые версии библиотек и сам рабочий процесс. О машине в ключе нет ничего.
"""

import ast
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from docs_build import worker
from docs_build.pages import Block
from docs_build.project import FIGURES, LESSONS_LOCK, OUTPUTS, ROOT, DocsError, relative

FORMAT = 1


@dataclass
class Output:
    """Вывод одного блока: текст и имена файлов рисунков."""

    reference: str
    text: str = ""
    figures: list[str] = field(default_factory=list)


@dataclass
class Record:
    """Запись одной страницы."""

    page: str
    key: str
    depends: list[str]
    outputs: list[Output]
    values: dict[str, Any]
    figures: dict[str, str]
    taken: str = ""

    def output_of(self, block: Block) -> Output | None:
        """Вывод блока: по месту на странице, а после перестановок — по имени фрагмента."""
        if block.number <= len(self.outputs) and self.outputs[block.number - 1].reference == block.reference:
            return self.outputs[block.number - 1]
        return next((output for output in self.outputs if output.reference == block.reference), None)


def page_key(blocks: list[Block], depends: list[str]) -> str:
    """Ключ записи: sha256 всего, от чего зависит вывод."""
    parts = [
        str(FORMAT),
        file_digest(LESSONS_LOCK),
        file_digest(Path(worker.__file__)),
        *(f"{block.reference}\n{block.code}" for block in blocks),
        *(f"{name} {tree_digest(ROOT / name)}" for name in sorted(depends)),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_fresh(record: Record | None, blocks: list[Block]) -> bool:
    """Верна ли запись для нынешнего кода и подтверждают ли её числа то, что говорит страница."""
    if record is None or record.key != page_key(blocks, record.depends):
        return False
    try:
        for block in blocks:
            check_expectations(block, record.values)
    except DocsError:
        return False
    return True


def check_expectations(block: Block, values: dict[str, bool | int | float | str]) -> None:
    """Подтвердил ли опыт то, что говорит о нём страница: строки `# docs: expect` о процитированных значениях."""
    for expectation in block.options.expects:
        names = {node.id for node in ast.walk(ast.parse(expectation)) if isinstance(node, ast.Name)}
        if unknown := names - values.keys():
            raise DocsError(
                block.place,
                f"в строке «expect {expectation}» неизвестно: {', '.join(sorted(unknown))}. "
                "Ожидать можно только значения из строк «# docs: quote» этого блока и блоков выше.",
            )
        if not eval(expectation, {"__builtins__": {}}, dict(values)):
            measured = ", ".join(f"{name} = {values[name]}" for name in sorted(names))
            raise DocsError(block.place, f"опыт не подтвердил страницу: ждали {expectation}, вышло {measured}.")


def file_digest(path: Path) -> str:
    """sha256 файла; у отсутствующего — пустая строка."""
    if not path.is_file():
        return ""
    stat = path.stat()
    return _digest(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _digest(path: Path, _modified: int, _size: int) -> str:
    data = path.read_bytes()
    if path.suffix not in (".safetensors", ".png", ".npz"):
        data = data.replace(b"\r\n", b"\n")
    return hashlib.sha256(data).hexdigest()


def tree_digest(path: Path) -> str:
    """sha256 файла или всех файлов папки."""
    if not path.is_dir():
        return file_digest(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    listing = "\n".join(f"{file.relative_to(path).as_posix()} {file_digest(file)}" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def record_path(page: str) -> Path:
    """Файл записи страницы."""
    return OUTPUTS / f"{page}.json"


def read_record(page: str) -> Record | None:
    """Читает запись; повреждённая, неполная, чужого формата или чужой страницы считается отсутствующей."""
    try:
        data = json.loads(record_path(page).read_text(encoding="utf-8"))
        checksum = data.pop("checksum")
        if data.pop("format") != FORMAT or checksum != checksum_of(data):
            return None
        outputs = [
            Output(output["reference"], "\n".join(output["text"]), output["figures"]) for output in data.pop("outputs")
        ]
        record = Record(**data, outputs=outputs)
        whole = all(file_digest(FIGURES / name) == digest for name, digest in record.figures.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return record if whole and record.page == page else None


def write_record(record: Record, figures: dict[str, str]) -> None:
    """Пишет рисунки, потом запись: прерванная посередине запись не сходится с рисунками и считается негодной."""
    data = asdict(record)
    for output in data["outputs"]:
        output["text"] = output["text"].splitlines()
    data = {"format": FORMAT, "checksum": checksum_of(data), **data}
    for name, text in figures.items():
        write_atomically(FIGURES / name, text)
    write_atomically(record_path(record.page), json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    for path in FIGURES.glob("*.svg"):
        if owner(path) == record.page and path.name not in record.figures:
            path.unlink()


def owner(path: Path) -> str:
    """Страница, которой принадлежит файл в outputs/: у записи `имя.json`, у рисунка `имя.1-1.svg`."""
    return path.name.rsplit(".", 2)[0] if path.parent == FIGURES else path.stem


def remove_leftovers(pages: set[str]) -> None:
    """Убирает из outputs/ то, что осталось от удалённых страниц и прерванной записи."""
    for path in [*OUTPUTS.glob("*.json*"), *FIGURES.glob("*.svg*")]:
        if owner(path) not in pages:
            path.unlink()


def checksum_of(data: dict[str, Any]) -> str:
    """Контрольная сумма содержания записи."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Пишет файл целиком или никак.

    Raises:
        DocsError: файл не записать: нет места или прав.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(path, text)
    except OSError as error:
        raise DocsError(relative(path), f"файл не записать: {error.strerror}.") from error


def _write_atomically(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
