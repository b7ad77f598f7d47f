"""Команды конвейера.

python -m docs_build run [СТРАНИЦА …] [--all]   выполнить устаревшие (или все) страницы и записать выводы
python -m docs_build check [СТРАНИЦА …]         выполнить страницы с нуля и сравнить с записями
python -m docs_build export ПАПКА               страницы с выводами как обычный Markdown
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from docs_build import records, render, runner
from docs_build.labs import find_labs, load_lab
from docs_build.pages import Page, find_pages, load_page
from docs_build.project import DOCS, FIGURES, DocsError, relative
from docs_build.testing import record_differences


def main(arguments: Sequence[str] | None = None) -> int:
    """Разбирает командную строку и возвращает код выхода."""
    parser = argparse.ArgumentParser(prog="python -m docs_build", description="Конвейер страниц курса.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="выполнить устаревшие страницы и записать выводы")
    run.add_argument("pages", nargs="*", type=Path, metavar="СТРАНИЦА")
    run.add_argument("--all", action="store_true", help="выполнить и те, чьи записи верны")
    check = commands.add_parser("check", help="выполнить страницы с нуля и сравнить с записями")
    check.add_argument("pages", nargs="*", type=Path, metavar="СТРАНИЦА")
    export = commands.add_parser("export", help="записать страницы с выводами как обычный Markdown")
    export.add_argument("folder", type=Path, metavar="ПАПКА")
    options = parser.parse_args(arguments)
    try:
        if options.command == "export":
            return export_pages(options.folder)
        pages = [page for page in load_pages(options.pages) if page.blocks]
        return check_pages(pages) if options.command == "check" else run_pages(pages, everything=options.all)
    except DocsError as error:
        print(f"Ошибка. {error}", file=sys.stderr)
        return 1


def load_pages(paths: Sequence[Path]) -> list[Page]:
    """Названные страницы или все."""
    for path in paths:
        if not path.is_file():
            raise DocsError(str(path), "такой страницы нет.")
    found = [path.resolve() for path in paths] or [*find_pages(), *find_labs()]
    return [load_lab(path).page if path.suffix == ".py" else load_page(path) for path in found]


def run_pages(pages: list[Page], *, everything: bool) -> int:
    """Выполняет страницы; верную запись, с которой вывод сошёлся, не переписывает."""
    waiting = [
        page for page in pages if everything or not records.is_fresh(records.read_record(page.name), page.blocks)
    ]
    if not waiting:
        print("Все записи верны, выполнять нечего.")

    def keep(page: Page, record: records.Record, pictures: dict[str, str]) -> None:
        old = records.read_record(page.name)
        if old and records.is_fresh(old, page.blocks) and not record_differences(page, old, record, pictures):
            return
        records.write_record(record, pictures)

    return report(runner.execute_pages(waiting, keep))


def check_pages(pages: list[Page]) -> int:
    """Выполняет страницы с нуля и сравнивает с записями, ничего не записывая."""
    differences: list[DocsError] = []

    def compare(page: Page, record: records.Record, pictures: dict[str, str]) -> None:
        differences.extend(record_differences(page, records.read_record(page.name), record, pictures))

    return report(runner.execute_pages(pages, compare) + differences)


def report(errors: Sequence[DocsError]) -> int:
    """Печатает ошибки; код выхода — 1, если они есть."""
    for error in errors:
        print(f"Ошибка. {error}", file=sys.stderr)
    return 1 if errors else 0


def export_pages(folder: Path) -> int:
    """Пишет страницы с выводами внутри: их покажет любой генератор, который понимает Markdown."""
    shutil.copytree(DOCS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py"))
    shutil.copytree(FIGURES, folder / render.PLOTS, dirs_exist_ok=True)
    for path in find_pages():
        page = load_page(path)
        text = render.render_page(page, records.read_record(page.name), records.read_record)
        (folder / path.relative_to(DOCS)).write_text(text, encoding="utf-8")
    print(f"Страницы записаны в {relative(folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
