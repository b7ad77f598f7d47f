"""Лабораторные: файл py:percent + запись → тетрадь .ipynb с выводами.

Выполняются теми же рабочими процессами и под теми же ключами, что и страницы, а показывает тетрадь mkdocs-jupyter.
"""

import base64
import re
from dataclasses import dataclass
from html import escape as html_escape
from pathlib import Path

import jupytext
import nbformat
from bs4 import BeautifulSoup
from nbformat.notebooknode import NotebookNode

from docs_build import figures
from docs_build.pages import Block, Page, find_pages, page_name, parse_options, strip_directives
from docs_build.project import CACHE, DOCS, FIGURES, LABS, DocsError, read_text, relative
from docs_build.records import Record

MARKER = re.compile(r"^# %%")
DECORATION = re.compile(r"<(style|script)\b.*?</\1>", re.DOTALL)  # оформление Jupyter: разбирать его незачем
NOTEBOOKS = CACHE / "notebooks"  # отсюда тетради попадают в сайт под теми же путями, что в docs/


@dataclass
class Lab:
    """Лабораторная: страница, на которой блоки — ячейки кода, и тетрадь без выводов."""

    page: Page
    notebook: NotebookNode

    @property
    def src_uri(self) -> str:
        """Путь тетради на сайте."""
        return self.page.path.relative_to(DOCS).with_suffix(".ipynb").as_posix()

    @property
    def markdown_cells(self) -> list[str]:
        """Тексты ячеек Markdown по порядку."""
        return [cell.source for cell in self.notebook.cells if cell.cell_type == "markdown"]


def find_labs() -> list[Path]:
    """Файлы лабораторных."""
    return sorted(LABS.glob("*.py"))


def find_sources() -> dict[str, Path]:
    """Всё, у чего может быть запись, — страницы и лабораторные — по именам.

    Raises:
        DocsError: двум файлам досталось одно имя.
    """
    sources: dict[str, Path] = {}
    for path in [*find_pages(), *find_labs()]:
        other = sources.setdefault(page_name(path), path)
        if other != path:
            raise DocsError(
                relative(path),
                f"имя записи «{page_name(path)}» уже занято файлом {relative(other)}. Переименуйте один.",
            )
    return sources


def load_lab(path: Path) -> Lab:
    """Читает лабораторную.

    Raises:
        DocsError: файл не делится на ячейки или в ячейке неверная строка `# docs:`.
    """
    text = read_text(path)
    notebook = jupytext.reads(text, fmt="py:percent")
    markers = [number for number, line in enumerate(text.splitlines(), start=1) if MARKER.match(line)]
    if len(markers) != len(notebook.cells):
        raise DocsError(
            relative(path),
            "каждая ячейка начинается строкой «# %%» или «# %% [markdown]», и до первой из них ничего нет.",
        )
    page = Page(page_name(path), path, [], 1, [])
    for line, cell in zip(markers, notebook.cells, strict=True):
        if cell.cell_type == "raw":
            raise DocsError(f"{relative(path)}:{line}", "ячейка бывает с кодом или [markdown]; [raw] сайт не покажет.")
        if cell.cell_type == "code":
            number = len(page.blocks) + 1
            options = parse_options(cell.source, f"{relative(path)}:{line}")
            page.blocks.append(
                Block(page.name, path, line, number, path, f"cell-{number}", line + 1, cell.source, options)
            )
    return Lab(page, notebook)


def notebook_with_outputs(lab: Lab, record: Record | None) -> str:
    """Тетрадь с выводами из записи; одинаковые байты при каждой сборке."""
    blocks = iter(lab.page.blocks)
    cells = []
    for number, cell in enumerate(lab.notebook.cells, start=1):
        if cell.cell_type == "markdown":
            made = nbformat.v4.new_markdown_cell(cell.source)
        else:
            block = next(blocks)
            made = nbformat.v4.new_code_cell(strip_directives(cell.source), execution_count=block.number)
            made.outputs = cell_outputs(block, record)
        made.id = f"cell-{number}"
        cells.append(made)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def cell_outputs(block: Block, record: Record | None) -> list[NotebookNode]:
    """Текст и рисунки одной ячейки."""
    output = record.output_of(block) if record else None
    if output is None:
        return []
    found = [nbformat.v4.new_output("stream", name="stdout", text=output.text + "\n")] if output.text else []
    for name, alt in zip(output.figures, block.options.alts, strict=False):
        svg = (FIGURES / name).read_text(encoding="utf-8")
        found.append(nbformat.v4.new_output("display_data", {"image/svg+xml": svg, "text/plain": alt}))
    return found


def tidy(html: str, lab: Lab, cells_html: list[str]) -> str:
    """Приводит страницу mkdocs-jupyter к виду остального сайта.

    Стили и скрипты Jupyter (сотни килобайт на страницу) уходят; тексты показаны тем же Markdown, что и уроки:
    с формулами и якорями; код и вывод — в тех же рамках, с той же кнопкой копирования.

    Args:
        html: Страница, какой её отдал mkdocs-jupyter.
        lab: Лабораторная.
        cells_html: Ячейки Markdown, уже показанные средствами сайта.
    """
    soup = BeautifulSoup(DECORATION.sub("", html), "html.parser")
    blocks = iter(lab.page.blocks)
    texts = iter(cells_html)
    parts = []
    for cell in soup.select(".jp-Cell[id]"):
        if "jp-MarkdownCell" in cell["class"]:
            parts.append(next(texts))
            continue
        block = next(blocks)
        code = cell.select(".highlight-ipynb pre")[0].decode_contents().strip("\n")
        parts.append(f'<div class="language-python highlight lab"><pre><span></span><code>{code}\n</code></pre></div>')
        alts = iter(block.options.alts)
        for output in cell.select(".jp-OutputArea-output"):
            picture = output.find("img")
            if picture is None:
                text = html_escape(output.get_text().strip("\n"), quote=False)
                parts.append(
                    f'<div class="language-text output highlight"><pre><span></span><code>{text}\n</code></pre></div>'
                )
            else:
                svg = base64.b64decode(str(picture["src"]).partition(",")[2]).decode("utf-8")
                parts.append(figures.figure_html(svg, next(alts), plot=True))
    download = f'<p><a class="md-button" href="{Path(lab.src_uri).name}" download>Скачать тетрадь (.ipynb)</a></p>'
    return "\n".join(parts).replace("</h1>", f"</h1>\n{download}", 1)
