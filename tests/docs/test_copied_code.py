"""Читатель копирует код страницы целиком: он выполняется у него так же и выводит то же."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs_build.compare import difference
from docs_build.labs import find_labs, load_lab
from docs_build.pages import Page, find_pages, load_page
from docs_build.project import DOCS
from docs_build.runner import ensure_hub_cache, environment

PAGES = [page for page in map(load_page, find_pages()) if page.blocks] + [load_lab(path).page for path in find_labs()]
SEPARATOR = "\x1e"
LONG = ("resnet", "transformer", "bert", "gpt", "vit", "comparison")


def shown_code(page: Page, documents) -> tuple[list[str], list[str]]:
    """Код блоков и вывод под каждым, какими их видит читатель."""
    codes: list[str] = []
    outputs: list[str] = []
    for block in documents[page.path.relative_to(DOCS).with_suffix(".html").as_posix()].select("article .highlight"):
        if "language-python" in block["class"]:
            codes.append(block.select("code")[0].get_text())
            outputs.append("")
        elif "output" in block["class"]:
            outputs[-1] = block.select("code")[0].get_text().rstrip("\n")
    return codes, outputs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_shows_the_code_that_was_run(page: Page, documents):
    codes, _ = shown_code(page, documents)
    assert [code.strip("\n") for code in codes] == [block.shown for block in page.blocks]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in LONG and page.path.suffix == ".md"], ids=lambda page: page.name
)
def test_copied_code_prints_what_the_page_shows(page: Page, documents, tmp_path: Path):
    """Уроки и лабораторные долгие: их код выполняют pytest-codeblocks и test_snippets."""
    if any(block.options.official for block in page.blocks):
        ensure_hub_cache()
    codes, shown = shown_code(page, documents)

    script = tmp_path / "copied.py"
    script.write_text(f"\nprint({SEPARATOR!r})\n".join(codes), encoding="utf-8")
    variables = {**os.environ, **environment(), "MPLBACKEND": "template", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, env=variables, capture_output=True, text=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr
    printed = [text.strip("\n") for text in run.stdout.split(SEPARATOR + "\n")]
    for block, old, new in zip(page.blocks, shown, printed, strict=True):
        assert not difference(old.strip("\n"), new, block.options), (
            f"{block.place}: {difference(old, new, block.options)}"
        )
