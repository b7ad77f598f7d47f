"""Собранный сайт: те же байты при повторной сборке, и ничего лишнего."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from docs_build.project import ROOT

MODULES = sorted(path for path in (ROOT / "modern_nets").glob("*.py") if not path.stem.startswith("__"))


def files(folder: Path) -> dict[str, bytes]:
    """Содержимое всех файлов папки."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_second_build_gives_the_same_bytes(site: Path, tmp_path: Path):
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "--strict", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True)
    first, second = files(site), files(tmp_path)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_site_holds_no_sources_of_the_pipeline(site: Path):
    names = files(site)
    assert not [name for name in names if name.endswith((".toml", ".md"))]
    assert all(name.startswith("assets/code/") for name in names if name.endswith(".py"))
    assert any(name.endswith(".ipynb") for name in names)


def public_names(body: list[ast.stmt]) -> Iterator[str]:
    """Имена функций, классов с их методами и констант, которые определены здесь и не начинаются с «_»."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if not name.startswith("_"):
                yield name
                methods = node.body if isinstance(node, ast.ClassDef) else []
                for method in methods:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        yield f"{name}.{method.name}"
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if not name.startswith("_"):
                    yield name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_reference_shows_every_public_name(path: Path, documents: dict[str, BeautifulSoup]):
    names = list(public_names(ast.parse(path.read_text("utf-8")).body))
    page = documents[f"reference/{path.stem}.html"]
    shown = {element["id"] for element in page.find_all(id=True)}
    assert [name for name in names if f"modern_nets.{path.stem}.{name}" not in shown] == []
    assert names


def test_reference_index_lists_every_module(documents: dict[str, BeautifulSoup]):
    links = {link["href"] for link in documents["reference/index.html"].select("article td a[href]")}
    assert links >= {f"{path.stem}.html" for path in MODULES}
