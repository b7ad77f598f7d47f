"""Страница Markdown → блоки кода.

Блок — голое ограждение ```` ```python ````, тело которого — одно включение файла из snippets/ или его
раздела. Разворачивает включения сам pymdownx, поэтому правила те же, что в его документации.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import markdown
from mkdocs.utils.meta import get_data
from pymdownx.snippets import SnippetExtension, SnippetMissingError, SnippetPreprocessor

from docs_build.project import DOCS, ROOT, SNIPPETS, DocsError, relative

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<info>[^`\n]*)$")
PYTHON_LOOKING = re.compile(r"\s*\{?\s*\.?(python3?|py3?|pycon3?|ipython3?)\b", re.IGNORECASE)
INCLUDE = re.compile(r"^\s*-+8<-+\s+([\"'])(?P<target>.+)\1\s*$")
SECTION_MARK = re.compile(r"#\s*-+8<-+\s*\[(?P<kind>start|end):(?P<name>[\w-]+)\]")
DIRECTIVE = re.compile(r"^\s*# docs:\s*(?P<name>\w+)\s*(?P<value>.*?)\s*$")

DEFAULT_LIMIT = 60.0


@dataclass(frozen=True)
class Options:
    """Что фрагмент сказал о себе строками `# docs: …`."""

    kind: str = "exact"  # exact | near | timed | sampled
    tolerance: float = 0.0
    quotes: tuple[str, ...] = ()
    limit: float = DEFAULT_LIMIT
    alts: tuple[str, ...] = ()
    official: str = ""
    model: str = ""


@dataclass(frozen=True)
class Block:
    """Один блок кода страницы."""

    page: str
    page_path: Path
    page_line: int
    number: int
    source: Path
    section: str
    first_line: int
    code: str
    options: Options

    @property
    def reference(self) -> str:
        """Имя блока в записи: файл и раздел."""
        return f"{relative(self.source)}{':' + self.section if self.section else ''}"

    @property
    def place(self) -> str:
        """Где блок стоит на странице и откуда он взят."""
        here = f"{relative(self.page_path)}:{self.page_line}"
        return here if self.source == self.page_path else f"{here} ({relative(self.source)}:{self.first_line})"

    @property
    def shown(self) -> str:
        """Код, каким его видит читатель: без строк, обращённых к конвейеру."""
        return strip_directives(self.code)


def strip_directives(code: str) -> str:
    """Убирает строки `# docs: …` и пустые строки по краям."""
    kept = (line for line in code.splitlines() if not DIRECTIVE.match(line))
    return "\n".join(kept).strip("\n")


@dataclass(frozen=True)
class Fence:
    """Ограждение кода в тексте страницы; строки считаются с нуля."""

    start: int
    end: int
    indent: str
    info: str
    body: list[str] = field(repr=False)


@dataclass
class Page:
    """Страница: её строки и блоки."""

    name: str
    path: Path
    lines: list[str]
    first_line: int
    blocks: list[Block]

    @cached_property
    def block_at(self) -> dict[int, Block]:
        """Блок по номеру строки файла, где открывается его ограждение."""
        return {block.page_line: block for block in self.blocks}


def page_name(path: Path) -> str:
    """Имя страницы для записей и цитат: `resnet`, `labs-digits`, `README`."""
    base = DOCS if path.is_relative_to(DOCS) else ROOT
    return "-".join(path.relative_to(base).with_suffix("").parts)


def find_pages() -> list[Path]:
    """Все страницы с текстом, в порядке имён."""
    return sorted(path for path in DOCS.rglob("*.md"))


def load_page(path: Path) -> Page:
    """Читает страницу и разворачивает её блоки.

    Raises:
        DocsError: ограждение похоже на Python, но не будет выполнено; нет фрагмента или раздела;
            неизвестная или неверная строка `# docs:`.
    """
    text = path.read_text(encoding="utf-8")
    body, _ = get_data(text)
    lines = body.splitlines()
    first_line = len(text.splitlines()) - len(lines) + 1
    page = Page(page_name(path), path, lines, first_line, [])
    for fence in scan_fences(lines, path, first_line):
        line = first_line + fence.start
        if fence.info == "python":
            page.blocks.append(load_block(page, fence, line))
        elif PYTHON_LOOKING.match(fence.info):
            raise DocsError(
                f"{relative(path)}:{line}",
                f"ограждение «{fence.info.strip()}» похоже на Python, но выполняться не будет. "
                "Напишите ровно ```python, без пробелов и параметров.",
            )
    return page


def scan_fences(lines: list[str], path: Path, first_line: int = 1) -> Iterator[Fence]:
    """Находит ограждения кода; ограждение внутри более длинного ограждения — просто текст.

    Raises:
        DocsError: ограждение не закрыто.
    """
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if not opening:
            number += 1
            continue
        start, marks, indent = number, opening["marks"], opening["indent"]
        closing = re.compile(rf"^\s*{re.escape(marks[0])}{{{len(marks)},}}\s*$")
        number += 1
        while number < len(lines) and not closing.match(lines[number]):
            number += 1
        if number == len(lines):
            raise DocsError(f"{relative(path)}:{first_line + start}", "ограждение кода не закрыто.")
        info = opening["info"].rstrip() if marks[0] == "`" else " " + opening["info"].strip()
        body = [line.removeprefix(indent) for line in lines[start + 1 : number]]
        yield Fence(start, number, indent, info, body)
        number += 1


def load_block(page: Page, fence: Fence, page_line: int) -> Block:
    """Разворачивает тело ограждения в код."""
    place = f"{relative(page.path)}:{page_line}"
    include = INCLUDE.match(fence.body[0]) if len(fence.body) == 1 else None
    if include:
        target, _, section = include["target"].partition(":")
        source = SNIPPETS / target
        code = expand(fence.body, place)
        first_line = section_line(source, section, place)
    elif page.path.is_relative_to(DOCS):
        raise DocsError(
            place, 'блок страницы — это ровно одна строка включения: --8<-- "папка/файл.py" или "папка/файл.py:раздел".'
        )
    else:
        source, section, code, first_line = page.path, "", "\n".join(fence.body), page_line + 1
    number = len(page.blocks) + 1
    options = parse_options(code, place)
    return Block(page.name, page.path, page_line, number, source, section, first_line, code, options)


def expand(lines: list[str], place: str) -> str:
    """Разворачивает включения препроцессором pymdownx.

    Raises:
        DocsError: файла или раздела нет.
    """
    extension = SnippetExtension(base_path=[str(SNIPPETS)], check_paths=True)
    preprocessor = SnippetPreprocessor(extension.getConfigs(), markdown.Markdown())
    try:
        return "\n".join(preprocessor.run(list(lines)))
    except SnippetMissingError as error:
        wanted = ", ".join(line.strip() for line in lines)
        raise DocsError(place, f"нет такого фрагмента: {wanted} ({error}). Ищем в папке snippets/.") from error


def section_line(source: Path, section: str, place: str) -> int:
    """Номер первой строки раздела в файле фрагмента.

    Raises:
        DocsError: разделы вложены или файл с разделами включён целиком.
    """
    open_section = None
    found = 1
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        mark = SECTION_MARK.search(line)
        if not mark:
            continue
        if not section:
            raise DocsError(place, f"в {relative(source)} есть разделы: включайте их по одному, а не файл целиком.")
        if mark["kind"] == "start":
            if open_section:
                raise DocsError(
                    f"{relative(source)}:{number}", f"раздел «{mark['name']}» открыт внутри «{open_section}»."
                )
            open_section = mark["name"]
            if mark["name"] == section:
                found = number + 1
        else:
            open_section = None
    return found


def parse_options(code: str, place: str) -> Options:
    """Читает строки `# docs: …` блока.

    Raises:
        DocsError: неизвестная строка или неверное значение.
    """
    found: dict[str, object] = {}
    alts: list[str] = []
    for line in code.splitlines():
        directive = DIRECTIVE.match(line)
        if not directive:
            continue
        name, value = directive["name"], directive["value"]
        try:
            match name:
                case "near":
                    found |= {"kind": "near", "tolerance": float(value)}
                case "timed" | "sampled":
                    found["kind"] = name
                case "limit":
                    found["limit"] = float(value)
                case "quote":
                    found["quotes"] = (*found.get("quotes", ()), *value.replace(",", " ").split())  # type: ignore[misc]
                case "alt":
                    alts.append(value)
                case "official" | "model":
                    found[name] = value
                case _:
                    raise DocsError(place, f"неизвестная строка «# docs: {name}».")
        except ValueError:
            raise DocsError(place, f"в строке «{line.strip()}» нужно число, а стоит «{value}».") from None
    return Options(**found, alts=tuple(alts))  # type: ignore[arg-type]
