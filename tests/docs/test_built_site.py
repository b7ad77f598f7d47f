"""Собранный сайт: те же байты при повторной сборке, и ничего лишнего."""

import os
import subprocess
import sys
from pathlib import Path

from docs_build.project import ROOT


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
    assert not [name for name in names if name.endswith((".py", ".toml", ".md"))]
    assert any(name.endswith(".ipynb") for name in names)
