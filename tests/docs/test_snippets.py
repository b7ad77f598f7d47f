"""Каждый опыт — программа, которую читатель скачал, а каждая лабораторная выводит то, что показывает её страница."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs_build import records
from docs_build.labs import find_labs, load_lab
from docs_build.pages import parse_options, whole_file
from docs_build.project import SNIPPETS, relative
from docs_build.runner import ensure_hub_cache, environment, execute_page
from docs_build.testing import record_differences


@pytest.mark.parametrize("path", sorted(SNIPPETS.rglob("*.py")), ids=relative)
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
