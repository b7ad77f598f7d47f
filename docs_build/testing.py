"""Блоки страниц как проверки pytest: один пункт на ограждение, один процесс на страницу.

`pytest --codeblocks docs README.md` собирает блоки плагином pytest-codeblocks, а разворачивает
и выполняет их тем же кодом, что и сборка, и сравнивает вывод с тем, что показывает страница.
"""

from pathlib import Path

import pytest
from pytest_codeblocks import plugin
from pytest_codeblocks.main import CodeBlock

from docs_build import compare, records
from docs_build.pages import Block, Page, load_page
from docs_build.project import DOCS, FIGURES, DocsError, relative
from docs_build.runner import Executed, PageRun


def install() -> None:
    """Подменяет в pytest-codeblocks чтение файла и выполнение блока."""
    plugin.extract_from_file = extract_blocks
    plugin.TestBlock = PageBlockItem


def extract_blocks(path: Path) -> list[CodeBlock]:
    """Блоки страницы, развёрнутые тем же кодом, что и при сборке."""
    page = load_page(Path(path))
    return [CodeBlock(block.code, block.page_line, "python") for block in page.blocks]


class PageSession:
    """Страница, которую проверяют: рабочий процесс и сколько блоков уже выполнено."""

    def __init__(self, path: Path) -> None:
        self.page = load_page(path)
        self.record = records.read_record(self.page.name)
        self.run = PageRun(self.page.name)
        self.finished: list[Executed] = []
        self.failed: DocsError | None = None

    def run_up_to(self, block: Block) -> Executed:
        """Выполняет блок, а перед ним — все, что стоят выше и ещё не выполнялись.

        Raises:
            DocsError: блок или один из блоков выше упал.
        """
        if self.failed:
            raise self.failed
        while len(self.finished) < block.number:
            try:
                self.finished.append(self.run.run(self.page.blocks[len(self.finished)]))
            except DocsError as error:
                self.failed = error
                raise
        return self.finished[block.number - 1]


class PageBlockItem(plugin.TestBlock):  # type: ignore[misc]
    """Один блок страницы."""

    def runtest(self) -> None:
        """Выполняет блок и сравнивает вывод с записанным."""
        session: PageSession | None = getattr(self.parent, "page_session", None)
        if session is None:
            session = self.parent.page_session = PageSession(self.path)
            self.parent.addfinalizer(session.run.close)
        block = session.page.block_at[self.obj.lineno]
        executed = session.run_up_to(block)
        # Блоки вне docs/ (README) ничего не показывают: достаточно, что они выполняются.
        if self.path.is_relative_to(DOCS):
            differences = block_differences(block, session.record, executed)
            if differences:
                raise differences[0]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """Ошибка конвейера уже называет место, ей не нужен стек pytest."""
        return str(excinfo.value) if isinstance(excinfo.value, DocsError) else str(excinfo.getrepr())


def record_differences(
    page: Page, recorded: records.Record | None, fresh: records.Record, pictures: dict[str, str]
) -> list[DocsError]:
    """Чем свежее выполнение страницы не сошлось с записью."""
    differences = []
    for block, output in zip(page.blocks, fresh.outputs, strict=True):
        values = {name: fresh.values[name] for name in block.options.quotes}
        executed = Executed(output.text, [pictures[name] for name in output.figures], values)
        differences += block_differences(block, recorded, executed)
    return differences


def block_differences(block: Block, record: records.Record | None, executed: Executed) -> list[DocsError]:
    """Чем свежий вывод блока не сошёлся с тем, что показывает страница."""
    output = record.output_of(block) if record else None
    if record is None or output is None:
        return [
            DocsError(block.place, f"нет записи вывода. Выполните страницу: make site ({relative(block.page_path)}).")
        ]
    found = [compare.difference(output.text, executed.text, block.options)]
    if len(output.figures) != len(executed.figures):
        found.append(f"рисунков было {len(output.figures)}, стало {len(executed.figures)}")
    else:
        for name, fresh in zip(output.figures, executed.figures, strict=True):
            found.append(compare.figure_difference((FIGURES / name).read_text(encoding="utf-8"), fresh, block.options))
    for name, value in executed.values.items():
        difference = compare.value_difference(record.values.get(name), value, block.options)
        found.append(difference and f"значение «{name}»: {difference}")
    return [DocsError(block.place, f"вывод не сошёлся с записью: {difference}") for difference in found if difference]
