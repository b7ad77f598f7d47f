"""Страница + запись → Markdown, в котором под блоками стоят их выводы, а в тексте — измеренные числа.

Результат — обычный Markdown: его показывает и MkDocs, и любой другой генератор.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

from docs_build.compare import to_float
from docs_build.labs import find_sources
from docs_build.pages import Block, Fence, Page, expand, scan_fences
from docs_build.project import DOCS, SNIPPETS, DocsError, relative
from docs_build.records import Output, Record

QUOTE = re.compile(r"(?<!`)\{\{\s*(?:(?P<page>[\w-]+)\.)?(?P<name>\w+)\s*(?::(?P<format>[^}]*?))?\s*\}\}")
SPECIAL = re.compile(r"[\\`*_\[\]$]")
ESCAPED = r"\\\g<0>"
PLOTS = "assets/plots/"
CODE = "assets/code/"

STALE = (
    '!!! warning "Вывод на этой странице устарел"\n'
    "    Код изменился после того, как его запускали в последний раз. Выполнить его заново: `make site`.\n"
)

RecordOf = Callable[[str], Record | None]


def render_page(page: Page, record: Record | None, record_of: RecordOf, *, note: str = "") -> str:
    """Собирает Markdown страницы.

    Args:
        page: Страница.
        record: Её запись или None, если блоки ещё не запускались.
        record_of: Записи других страниц по имени: их числа тоже можно цитировать.
        note: Предупреждение под заголовком страницы.

    Raises:
        DocsError: процитировано имя, которого нет в записи.
    """
    rendered: list[str] = []
    position = 0
    ends = {block.source: block.number for block in page.blocks}
    for fence in scan_fences(page.lines, page.path, page.first_line):
        rendered += quoted(page, position, fence.start, record, record_of)
        block = page.block_at.get(page.first_line + fence.start)
        if block:
            rendered += render_block(block, fence, record, page)
            if block.section and ends[block.source] == block.number:
                rendered += indented(fence, whole_file_link(block))
        else:
            rendered += render_text(page, fence)
        position = fence.end + 1
    rendered += quoted(page, position, len(page.lines), record, record_of)
    return insert_note("\n".join(rendered) + "\n", note)


def render_text(page: Page, fence: Fence) -> list[str]:
    """Ограждение не с Python: показывается как есть, включения разворачиваются."""
    place = f"{relative(page.path)}:{page.first_line + fence.start}"
    body = expand(fence.body, place).split("\n") if fence.body else []
    # Закрывающая строка повторяет открывающую: длиннее или левее её Python-Markdown не узнаёт.
    closing = re.match(r"`+|~+", page.lines[fence.start].strip())
    assert closing
    return indented(fence, [page.lines[fence.start].removeprefix(fence.indent), *body, closing[0]])


def render_block(block: Block, fence: Fence, record: Record | None, page: Page) -> list[str]:
    """Код блока и под ним его вывод."""
    lines = fenced("python", block.shown)
    output = record.output_of(block) if record else None
    if record and output:
        to_root = "../" * (len(page.path.relative_to(DOCS).parts) - 1)
        lines += render_output(block, output, record, to_root)
    return indented(fence, lines)


def whole_file_link(block: Block) -> list[str]:
    """Ссылка под последним блоком фрагмента: весь опыт одним файлом, который выполняется сам по себе."""
    path = block.source.relative_to(SNIPPETS).as_posix()
    to_root = "../" * (len(block.page_path.relative_to(DOCS).parts) - 1)
    name = block.source.name
    return [
        f"[Весь код опыта одним файлом: {name}]({to_root}{CODE}{quote(path)})",
        f'{{ .whole-file download="{name}" }}',
        "",
    ]


def fenced(info: str, text: str) -> list[str]:
    """Текст в ограждении, которое длиннее любого внутри него."""
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", text))])
    return [ticks + info, *text.split("\n"), ticks]


def indented(fence: Fence, lines: list[str]) -> list[str]:
    """Строки с отступом ограждения."""
    return [fence.indent + line if line else line for line in lines]


def render_output(block: Block, output: Output, record: Record, to_root: str) -> list[str]:
    """Текст, рисунки и подпись, из какой модели и когда они взяты."""
    lines: list[str] = []
    if output.text:
        lines += ["", *fenced("{ .text .output }", output.text)]
    for name, alt in zip(output.figures, block.options.alts, strict=False):
        lines += ["", f"![{SPECIAL.sub(ESCAPED, alt)}]({to_root}{PLOTS}{quote(name)}){{ .plot }}"]
    caption = output_note(block, record)
    if caption and (output.text or output.figures):
        lines += ["", caption, "{ .output-note }"]
    return [*lines, ""]


def output_note(block: Block, record: Record) -> str:
    """Подпись под выводом."""
    notes = []
    if block.options.model:
        notes.append(f"Модель: {block.options.model}.")
    if block.options.official:
        notes.append(
            f"Получено на заместителе `{block.options.official}`: официальная конфигурация, случайные веса. "
            "Формы и типы те же, что у настоящей модели; её саму этот код загрузит на машине с сетью."
        )
    if block.options.kind == "timed":
        notes.append(f"Времена сняты на машине авторов: {record.taken}.")
    return " ".join(notes)


def quoted(page: Page, start: int, end: int, record: Record | None, record_of: RecordOf) -> list[str]:
    """Строки текста с подставленными числами."""
    lines = []
    for number in range(start, end):
        if "{{" not in page.lines[number]:
            lines.append(page.lines[number])
            continue
        place = f"{relative(page.path)}:{page.first_line + number}"

        def substitute(match: re.Match[str], place: str = place) -> str:
            if match["page"] and match["page"] not in find_sources():
                raise DocsError(place, f"процитирована страница «{match['page']}», а такой нет.")
            source = record if match["page"] in (None, page.name) else record_of(match["page"])
            if source is None:
                return "…"
            if match["name"] not in source.values:
                known = ", ".join(sorted(source.values)) or "ни одного"
                raise DocsError(
                    place,
                    f"в записи страницы «{source.page}» нет значения «{match['name']}» (есть: {known}). "
                    "Добавьте в блок строку «# docs: quote имя».",
                )
            return russian(source.values[match["name"]], match["format"] or "", place)

        lines.append(QUOTE.sub(substitute, page.lines[number]))
    return lines


def russian(value: bool | int | float | str, spec: str, place: str = "") -> str:
    """Число в русской записи: запятая, неразрывные пробелы между тысячами, настоящий минус.

    Raises:
        DocsError: формат не подходит к значению.
    """
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, str):
        return value
    try:
        text = format(value, spec)
    except ValueError as error:
        raise DocsError(place, f"формат «{spec}» не подходит к значению {value!r}: {error}.") from None
    mantissa, _, power = text.partition("e")
    mantissa = mantissa.replace(",", "\u202f").replace(".", ",").replace("-", "−").replace("%", "\u00a0%")
    if not power:
        return mantissa
    digits = str(int(to_float(power))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}·10{digits}"


def insert_note(markdown: str, note: str) -> str:
    """Ставит предупреждение сразу под заголовком страницы."""
    if not note:
        return markdown
    heading = re.search(r"^# .*\n", markdown, re.MULTILINE)
    position = heading.end() if heading else 0
    return f"{markdown[:position]}\n{note}\n{markdown[position:]}"
