"""Команды конвейера.

python -m docs_build run [СТРАНИЦА …] [--all]   выполнить устаревшие (или все) страницы и записать выводы
python -m docs_build run СТРАНИЦА … --remeasure  выполнить страницы и записать новые выводы, даже если прежние верны
python -m docs_build check [СТРАНИЦА …]         выполнить страницы с нуля и сравнить с записями
python -m docs_build export ПАПКА               страницы с выводами как обычный Markdown
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from docs_build import records, render, runner
from docs_build.labs import find_sources, load_lab, notebook_with_outputs
from docs_build.pages import Page, load_page, whole_file
from docs_build.project import DOCS, FIGURES, SNIPPETS, DocsError, build_lock, relative, take_build_lock
from docs_build.testing import record_differences


def main(arguments: Sequence[str] | None = None) -> int:
    """Разбирает командную строку и возвращает код выхода."""
    parser = argparse.ArgumentParser(prog="python -m docs_build", description="Конвейер страниц курса.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="выполнить устаревшие страницы и записать выводы")
    run.add_argument("pages", nargs="*", type=Path, metavar="СТРАНИЦА")
    run.add_argument("--all", action="store_true", help="выполнить и те, чьи записи верны")
    run.add_argument(
        "--remeasure", action="store_true", help="записать и то, что сошлось с прежним: снова измерить время"
    )
    check = commands.add_parser("check", help="выполнить страницы с нуля и сравнить с записями")
    check.add_argument("pages", nargs="*", type=Path, metavar="СТРАНИЦА")
    export = commands.add_parser("export", help="записать страницы с выводами как обычный Markdown")
    export.add_argument("folder", type=Path, metavar="ПАПКА")
    options = parser.parse_args(arguments)
    try:
        if options.command == "export":
            return export_pages(options.folder)
        pages = [page for page in load_pages(options.pages) if page.blocks]
        if options.command == "check":
            return check_pages(pages)
        take_build_lock()
        with build_lock:
            if not options.pages:
                records.remove_leftovers({page.name for page in pages})
            return run_pages(pages, everything=options.all, remeasure=options.remeasure)
    except DocsError as error:
        return report([error])
    except KeyboardInterrupt:
        print("Прервано.", file=sys.stderr)
        return 130


def load_pages(paths: Sequence[Path]) -> list[Page]:
    """Названные страницы или все."""
    known = find_sources().values()
    for path in paths:
        if path.resolve() not in known:
            raise DocsError(str(path), "такой страницы нет: страницы лежат в docs/, лабораторные — в docs/labs/.")
    found = [path.resolve() for path in paths] or known
    return [load_lab(path).page if path.suffix == ".py" else load_page(path) for path in found]


def run_pages(pages: list[Page], *, everything: bool, remeasure: bool) -> int:
    """Выполняет страницы; верную запись, с которой вывод сошёлся, переписывает лишь по просьбе."""
    waiting = [
        page
        for page in pages
        if everything or remeasure or not records.is_fresh(records.read_record(page.name), page.blocks)
    ]
    if not waiting:
        print("Все записи верны, выполнять нечего.")

    def keep(page: Page, record: records.Record, pictures: dict[str, str]) -> None:
        old = None if remeasure else records.read_record(page.name)
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
    """Пишет страницы с выводами внутри: их покажет любой генератор, который понимает Markdown.

    Raises:
        DocsError: в эту папку писать нельзя или вывод страницы устарел.
    """
    if folder.is_file() or folder.resolve().is_relative_to(DOCS):
        raise DocsError(str(folder), "нужна папка вне docs/.")
    texts = {}
    for path in find_sources().values():
        target = folder / path.relative_to(DOCS)
        if path.suffix == ".py":
            lab = load_lab(path)
            texts[target.with_suffix(".ipynb")] = notebook_with_outputs(lab, fresh_record(lab.page))
        else:
            page = load_page(path)
            texts[target] = render.render_page(page, fresh_record(page), records.read_record)
            for source in {block.source for block in page.blocks if block.section}:
                texts[folder / render.CODE / source.relative_to(SNIPPETS)] = whole_file(source)
    shutil.copytree(DOCS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py"))
    if FIGURES.is_dir():
        shutil.copytree(FIGURES, folder / render.PLOTS, dirs_exist_ok=True)
    for target, text in texts.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    print(f"Страницы записаны в {relative(folder)}")
    return 0


def fresh_record(page: Page) -> records.Record | None:
    """Запись страницы; None, если на странице нет кода.

    Raises:
        DocsError: запись устарела.
    """
    record = records.read_record(page.name)
    if page.blocks and not records.is_fresh(record, page.blocks):
        raise DocsError(relative(page.path), "вывод устарел. Выполните страницу: make site.")
    return record


if __name__ == "__main__":
    sys.exit(main())
