"""Каждый опыт — программа, которую читатель скачал, а каждая лабораторная выводит то, что показывает её страница."""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from docs_build import records
from docs_build.labs import find_labs, load_lab
from docs_build.pages import find_pages, load_page, parse_options, whole_file
from docs_build.project import SNIPPETS, relative
from docs_build.runner import ensure_hub_cache, environment, execute_page
from docs_build.testing import record_differences

FILES = sorted(SNIPPETS.rglob("*.py"))
# Страница и так выполняет каждый файл с чистого места; обычным Python — по одному короткому файлу из папки.
SHORTEST = [min(files, key=lambda path: path.stat().st_size) for _, files in groupby(FILES, lambda path: path.parent)]


def test_page_runs_the_sections_of_a_file_in_their_order():
    """Иначе скачанный файл выполнил бы то же самое в другом порядке."""
    shown: dict[tuple[str, Path], list[int]] = {}
    for page in map(load_page, find_pages()):
        for block in page.blocks:
            shown.setdefault((page.name, block.source), []).append(block.first_line)
    assert {source for _, source in shown} >= set(FILES)
    for place, lines in shown.items():
        assert lines == sorted(set(lines)), place


@pytest.mark.parametrize("path", SHORTEST, ids=relative)
def test_experiment_runs_by_itself(path: Path, tmp_path: Path):
    """Файл, который отдаёт сайт, выполняется обычным Python, без блоков, стоящих на странице выше."""
    if parse_options(path.read_text(encoding="utf-8"), relative(path)).official:
        ensure_hub_cache()
    (tmp_path / path.name).write_text(whole_file(path), encoding="utf-8")
    variables = {**os.environ, **environment(), "MPLBACKEND": "template", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [sys.executable, path.name], cwd=tmp_path, env=variables, capture_output=True, text=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr


@pytest.mark.parametrize("path", find_labs(), ids=relative)
def test_lab_output_is_what_the_page_shows(path: Path):
    page = load_lab(path).page
    fresh, pictures = execute_page(page)
    differences = record_differences(page, records.read_record(page.name), fresh, pictures)
    assert not differences, "\n".join(map(str, differences))
