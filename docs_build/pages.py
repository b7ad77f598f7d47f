"""Страница Markdown → блоки кода.

Блок — голое ограждение ```` ```python ````, тело которого — одно включение файла из snippets/ или его
раздела. Разворачивает включения сам pymdownx, поэтому правила те же, что в его документации.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import markdown
from mkdocs.utils.meta import get_data
from pymdownx.snippets import SnippetExtension, SnippetMissingError, SnippetPreprocessor

from docs_build.project import DOCS, ROOT, SNIPPETS, DocsError, read_text, relative

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<info>[^`\n]*)$")
PYTHON_LOOKING = re.compile(r"\s*\{?\s*\.?(python3?|py3?|pycon3?|ipython3?)\b", re.IGNORECASE)
# Ограждение с Python не в начале строки: в цитате, за знаком пункта списка.
MISPLACED = re.compile(rf"[^`~]*(`{{3,}}|~{{3,}}){PYTHON_LOOKING.pattern}", re.IGNORECASE)
INCLUDE = re.compile(r"-+8<-+\s+([\"'])(?P<file>[^:\"']+)(?::(?P<section>[A-Za-z][\w-]*))?\1")
SECTION_MARK = re.compile(r"#\s*-+8<-+\s*\[\s*(?P<kind>start|end)\s*:\s*(?P<name>[\w-]+)\s*\]")
DIRECTIVE = re.compile(r"^\s*#\s*docs\s*:\s*(?P<name>\w*)\s*(?P<value>.*?)\s*$")

DEFAULT_LIMIT = 300.0  # секунд: с запасом на занятую или медленную машину


@dataclass(frozen=True)
class Options:
    """Что фрагмент сказал о себе строками `# docs: …`."""

    kind: str = "exact"  # exact | near | timed | sampled
    tolerance: float = 0.0
    quotes: tuple[str, ...] = ()
    expects: tuple[str, ...] = ()
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


def whole_file(source: Path) -> str:
    """Фрагмент как программа для читателя: без отметок разделов и строк, обращённых к конвейеру."""
    lines = (line for line in read_text(source).splitlines() if not SECTION_MARK.search(line))
    return re.sub(r"\n{4,}", "\n\n\n", strip_directives("\n".join(lines))) + "\n"


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
    text = read_text(path)
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
        DocsError: ограждение не закрыто или стоит так, что его не выполнить.
    """
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if not opening:
            if MISPLACED.match(lines[number]):
                raise DocsError(
                    f"{relative(path)}:{first_line + number}",
                    "ограждение в цитате или в одной строке с другим текстом выполняться не будет. "
                    "Поставьте ```python на отдельную строку.",
                )
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
    include = INCLUDE.fullmatch(fence.body[0].strip()) if len(fence.body) == 1 else None
    if include:
        source, section = SNIPPETS / include["file"], include["section"] or ""
        code = expand([include[0]], place)
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
        DocsError: файла или раздела нет, или файл не в UTF-8.
    """
    extension = SnippetExtension(base_path=[str(SNIPPETS)], check_paths=True, encoding="utf-8-sig")
    preprocessor = SnippetPreprocessor(extension.getConfigs(), markdown.Markdown())
    try:
        return "\n".join(preprocessor.run(list(lines)))
    except (SnippetMissingError, IsADirectoryError) as error:
        wanted = ", ".join(line.strip() for line in lines)
        raise DocsError(place, f"нет такого фрагмента: {wanted} ({error}). Ищем в папке snippets/.") from error
    except UnicodeDecodeError:
        raise DocsError(place, "файл фрагмента не в кодировке UTF-8. Сохраните его в UTF-8.") from None


def section_line(source: Path, section: str, place: str) -> int:
    """Номер первой строки раздела в файле фрагмента.

    Raises:
        DocsError: отметки разделов не складываются в пары или файл с разделами включён целиком.
    """
    open_section = ""
    starts: dict[str, int] = {}
    for number, line in enumerate(read_text(source).splitlines(), start=1):
        mark = SECTION_MARK.search(line)
        if not mark:
            continue
        if not section:
            raise DocsError(place, f"в {relative(source)} есть разделы: включайте их по одному, а не файл целиком.")
        here, name = f"{relative(source)}:{number}", mark["name"]
        if mark["kind"] == "start":
            if open_section:
                raise DocsError(here, f"раздел «{name}» открыт внутри «{open_section}».")
            if name in starts:
                raise DocsError(here, f"раздел «{name}» в этом файле уже есть.")
            open_section, starts[name] = name, number + 1
        elif name != open_section:
            raise DocsError(here, f"раздел «{name}» закрыт, но не открыт.")
        else:
            open_section = ""
    if open_section:
        raise DocsError(
            f"{relative(source)}:{starts[open_section] - 1}",
            f"раздел «{open_section}» не закрыт: нужна строка «# --8<-- [end:{open_section}]».",
        )
    return starts.get(section, 1)


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
                    found |= {"kind": "near", "tolerance": positive(value, below=10)}
                case "timed" | "sampled":
                    found["kind"] = name
                case "limit":
                    found["limit"] = positive(value, below=1e5)
                case "quote":
                    found["quotes"] = (*found.get("quotes", ()), *value.replace(",", " ").split())  # type: ignore[misc]
                case "expect" if value:
                    ast.parse(value, mode="eval")
                    found["expects"] = (*found.get("expects", ()), value)  # type: ignore[misc]
                case "alt" if value:
                    alts.append(value)
                case "official" | "model":
                    found[name] = value
                case _:
                    raise DocsError(place, f"неизвестная строка «{line.strip()}».")
        except SyntaxError:
            raise DocsError(place, f"в строке «{line.strip()}» нужно сравнение на Python: a < b.") from None
        except ValueError as error:
            raise DocsError(place, f"в строке «{line.strip()}» нужно число{error}, а стоит «{value}».") from None
    return Options(**found, alts=tuple(alts))  # type: ignore[arg-type]


def positive(text: str, *, below: float) -> float:
    """Число больше нуля и меньше `below`.

    Raises:
        ValueError: текст — не такое число; в сообщении — границы.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < below:
        raise ValueError(f" больше 0 и меньше {below:g}")
    return number
