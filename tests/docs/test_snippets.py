"""Каждый фрагмент — программа, а каждая лабораторная выводит то, что показывает её страница."""

from pathlib import Path

import pytest

from docs_build import records
from docs_build.labs import find_labs, load_lab
from docs_build.pages import Block, Options, parse_options
from docs_build.project import SNIPPETS, relative
from docs_build.runner import PageRun, execute_page
from docs_build.testing import record_differences


@pytest.mark.parametrize("path", sorted(SNIPPETS.rglob("*.py")), ids=relative)
def test_snippet_runs_by_itself(path: Path):
    """Файл выполняется в новом процессе, без блоков, стоящих на странице выше."""
    code = path.read_text(encoding="utf-8")
    name = relative(path)
    said = parse_options(code, name)
    options = Options(limit=600, alts=said.alts, official=said.official)
    with PageRun(name) as run:
        run.run(Block(name, path, 1, 1, path, "", 1, code, options))


@pytest.mark.parametrize("path", find_labs(), ids=relative)
def test_lab_output_is_what_the_page_shows(path: Path):
    page = load_lab(path).page
    fresh, pictures = execute_page(page)
    differences = record_differences(page, records.read_record(page.name), fresh, pictures)
    assert not differences, "\n".join(map(str, differences))
