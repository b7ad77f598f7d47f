"""`python -m benchmarks.site` — скорость и вес сайта, в одном запуске, на копии проекта.

Печатает таблицу: сколько выполняются все страницы, сколько длится сборка из записей, за сколько в `mkdocs serve`
правка текста и правка фрагмента доходят до страницы и сколько весят страницы.
"""

import argparse
import gzip
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "site", "__pycache__", ".*_cache", ".hypothesis", "build")
ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONUNBUFFERED": "1"}


def main() -> None:
    """Разбирает командную строку и печатает таблицу."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.site", description=__doc__)
    parser.add_argument("--skip-execution", action="store_true", help="не выполнять все страницы")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        environment = {**ENVIRONMENT, "PYTHONPATH": str(copy)}
        if not options.skip_execution:
            show("все страницы с нуля (цель 240 с)", timed(["docs_build", "check"], copy, environment), "с")
        builds = [timed(["mkdocs", "build", "-q", "--strict"], copy, environment) for _ in range(3)]
        show("сборка из записей, медиана трёх (цель 6 с)", statistics.median(builds), "с")
        weigh(copy / "site")
        with server(copy, environment) as address:
            text = [edit_text(copy, address, number) for number in range(3)]
            show("правка текста → страница, медиана трёх (цель 3 с)", statistics.median(text), "с")
            show("правка фрагмента из одной строки → страница (цель 2 с)", edit_snippet(copy, address), "с")


def show(name: str, value: float, unit: str) -> None:
    """Печатает строку таблицы."""
    print(f"{name:<60}{value:8.1f} {unit}", flush=True)


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Сколько секунд работает команда Python-модуля."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def weigh(site: Path) -> None:
    """Печатает вес страниц без рисунков, после gzip."""
    weights = {}
    for path in site.rglob("*.html"):
        html = re.sub(r"<figure.*?</figure>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        weights[path.relative_to(site).as_posix()] = len(gzip.compress(html.encode(), mtime=0)) / 1000
    for name, weight in sorted(weights.items(), key=lambda item: -item[1])[:5]:
        show(f"HTML {name}, gzip без рисунков (цель 60 КБ)", weight, "КБ")
    show("сайт целиком", sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6, "МБ")


@contextmanager
def server(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """`mkdocs serve` на свободном порту."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mkdocs", "serve", "-q", "--livereload", "-a", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/index.html", "<html")
        yield address
    finally:
        process.terminate()
        process.wait()


def edit_text(folder: Path, address: str, number: int) -> float:
    """Секунды от записи файла до страницы с новым текстом."""
    mark = f"Проба номер {number}."
    page = folder / "docs" / "transformer.md"
    page.write_text(page.read_text(encoding="utf-8") + f"\n{mark}\n", encoding="utf-8")
    return wait_for(f"{address}/transformer.html", mark)


def edit_snippet(folder: Path, address: str) -> float:
    """То же для страницы с одним быстрым блоком: цель — время блока и две секунды сверху."""
    snippet = folder / "snippets" / "probe.py"
    snippet.write_text("print('до')\n", encoding="utf-8")
    page = folder / "docs" / "next.md"
    page.write_text(page.read_text(encoding="utf-8") + '\n```python\n--8<-- "probe.py"\n```\n', encoding="utf-8")
    wait_for(f"{address}/next.html", "до\n")
    snippet.write_text("print('после правки')\n", encoding="utf-8")
    return wait_for(f"{address}/next.html", "после правки\n")


def wait_for(url: str, text: str) -> float:
    """Ждёт, пока на странице появится текст, и возвращает, сколько ждали."""
    start = time.perf_counter()
    while time.perf_counter() - start < 300:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                if text in answer.read().decode():
                    return time.perf_counter() - start
        except OSError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"на странице {url} так и не появилось «{text}»")


if __name__ == "__main__":
    main()
