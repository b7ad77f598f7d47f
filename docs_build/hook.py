"""Конвейер как хук MkDocs: `hooks: [docs_build/hook.py]` в mkdocs.yml.

Устаревшие страницы выполняются перед сборкой, если установлены библиотеки уроков; иначе страница
показывает прежний вывод и говорит, что он устарел, а строгая сборка (`--strict`) не проходит.
"""

import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import CombinedEvent, event_priority, get_plugin_logger
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page as SitePage
from mkdocs.utils.templates import TemplateContext

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs_build import figures, labs, maths, memory, records, render, runner
from docs_build.labs import Lab, find_sources, load_lab
from docs_build.pages import Page, load_page, whole_file
from docs_build.project import CACHE, DOCS, FIGURES, SNIPPETS, DocsError, build_lock, relative, take_build_lock

log = get_plugin_logger("страницы")

SPAN = re.compile(r"</?span[^>]*>")
FIND_FIGURE = figures.FigureFinder({render.PLOTS: FIGURES, "assets/figures/": DOCS / "assets" / "figures"})

EXECUTION_LIBRARIES = ("torch", "torchvision", "transformers", "sklearn", "matplotlib")


@dataclass
class Build:
    """Состояние сборки."""

    command: str = "build"
    pages: dict[str, Page] = field(default_factory=dict)
    labs: dict[str, Lab] = field(default_factory=dict)
    errors: dict[str, DocsError] = field(default_factory=dict)  # имя страницы → её блок упал
    broken: dict[str, DocsError] = field(default_factory=dict)  # файл → его не прочитать
    colored: str = ""


build = Build()


def on_startup(*, command: str, dirty: bool) -> None:
    """Запоминает, сборка это или сервер."""
    build.command = command


def on_pre_build(config: MkDocsConfig) -> None:
    """Выполняет устаревшие страницы; вторая сборка в это время ждёт."""
    take_build_lock(log.info)
    try:
        build.pages, build.labs, build.broken = {}, {}, {}
        for path in find_sources().values():
            load(path)
        build.errors = execute_stale([*build.pages.values(), *(lab.page for lab in build.labs.values())])
    except DocsError as error:
        raise PluginError(str(error)) from None
    finally:
        if build.command == "serve":
            build_lock.release()


def load(path: Path) -> None:
    """Читает страницу или лабораторную; о нечитаемой странице сервер скажет на её месте."""
    try:
        if path.suffix == ".md":
            build.pages[str(path)] = load_page(path)
        else:
            lab = load_lab(path)
            build.labs[lab.src_uri] = lab
    except DocsError as error:
        stop_or_log(error)
        build.broken[str(path)] = error


def stop_or_log(error: DocsError) -> None:
    """Сборка на ошибке страницы останавливается, сервер работает дальше и показывает её."""
    if build.command != "serve":
        raise PluginError(str(error)) from None
    log.error(str(error))


def execute_stale(pages: Iterable[Page]) -> dict[str, DocsError]:
    """Выполняет страницы, записи которых устарели; сервер ошибки показывает, сборка останавливается на них.

    Raises:
        DocsError: при сборке — все ошибки страниц одним сообщением.
    """
    stale = [page for page in pages if page.blocks and not is_fresh(page)]
    missing = [name for name in EXECUTION_LIBRARIES if importlib.util.find_spec(name) is None]
    if not stale or missing:
        return {}
    errors = runner.execute_pages(stale, lambda _, record, pictures: records.write_record(record, pictures), log.info)
    if errors and build.command != "serve":
        raise DocsError("сборка остановлена", "\n".join(str(error) for error in errors))
    for error in errors:
        log.error(str(error))
    places = {error.place.split(":")[0]: error for error in errors}
    return {page.name: places[relative(page.path)] for page in stale if relative(page.path) in places}


def is_fresh(page: Page) -> bool:
    """Верна ли запись страницы."""
    return records.is_fresh(records.read_record(page.name), page.blocks)


@event_priority(50)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Добавляет рисунки из записей, код опытов целиком, а вместо файлов лабораторных — тетради с выводами."""
    for path in sorted(FIGURES.glob("*.svg")):
        files.append(
            File.generated(config, render.PLOTS + path.name, abs_src_path=str(path), inclusion=InclusionLevel.INCLUDED)
        )
    for source in {block.source for page in build.pages.values() for block in page.blocks if block.section}:
        uri = render.CODE + source.relative_to(SNIPPETS).as_posix()
        files.append(File.generated(config, uri, content=whole_file(source), inclusion=InclusionLevel.INCLUDED))
    for uri, lab in build.labs.items():
        notebook_source = files.get_file_from_path(lab.page.path.relative_to(DOCS).as_posix())
        if notebook_source:
            files.remove(notebook_source)
        notebook = labs.notebook_with_outputs(lab, records.read_record(lab.page.name))
        records.write_atomically(labs.NOTEBOOKS / uri, notebook)
        files.append(File(uri, str(labs.NOTEBOOKS), config.site_dir, config.use_directory_urls))
    return files


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> Environment:
    """Шаблоны темы компилируются один раз, а не при каждой правке."""
    (CACHE / "templates").mkdir(exist_ok=True)
    env.bytecode_cache = FileSystemBytecodeCache(str(CACHE / "templates"))
    return env


def on_page_markdown(markdown: str, page: SitePage, config: MkDocsConfig, files: Files) -> str:
    """Подставляет под блоки их выводы, а в текст — числа."""
    path = str(page.file.abs_src_path)
    if path in build.broken:
        return failure("Страница написана с ошибкой", build.broken[path])
    source = build.pages.get(path)
    if source is None:
        return markdown
    try:
        record = records.read_record(source.name)
        markdown = render.render_page(source, record, records.read_record, note=note_for(source))
    except DocsError as error:
        stop_or_log(error)
        return failure("Страница написана с ошибкой", error)
    if build.command == "serve":
        memory.remember(page, markdown, config, files)
    return markdown


def note_for(page: Page) -> str:
    """Предупреждение под заголовком: страница упала или её вывод устарел."""
    if page.name in build.errors:
        return failure("Блок не выполнился", build.errors[page.name])
    if page.blocks and not is_fresh(page):
        log.warning(f"{relative(page.path)}: вывод устарел. Выполните страницу заново: make site.")
        return render.STALE
    return ""


def failure(title: str, error: DocsError) -> str:
    """Ошибка, которую сервер показывает на странице."""
    text = "\n    ".join(render.fenced("text", str(error)))
    return f'!!! failure "{title}"\n    {text}\n'


def on_page_content(html: str, page: SitePage, config: MkDocsConfig, files: Files) -> str:
    """Превращает формулы в MathML."""
    lab = build.labs.get(page.file.src_uri)
    try:
        if lab:
            html = lab_content(html, lab, page, config, files)
        source = lab.page.path if lab else Path(str(page.file.abs_src_path))
        return maths.convert(html, source)
    except DocsError as error:
        stop_or_log(error)
        return f"<pre>{escape(str(error))}</pre>"


@event_priority(100)
def before_search(context: TemplateContext, page: SitePage, config: MkDocsConfig, nav: Navigation) -> TemplateContext:
    """Поиск разбирает страницу по одному тегу: без раскраски кода это вдвое быстрее, а текст тот же."""
    build.colored = page.content or ""
    page.content = SPAN.sub("", build.colored)
    return context


@event_priority(-100)
def after_search(context: TemplateContext, page: SitePage, config: MkDocsConfig, nav: Navigation) -> TemplateContext:
    """Возвращает странице раскраску."""
    page.content = build.colored
    return context


on_page_context = CombinedEvent(before_search, after_search)


def on_post_page(output: str, page: SitePage, config: MkDocsConfig) -> str:
    """Вставляет рисунки в готовую страницу: поиску и шаблонам тысячи линий ни к чему."""
    return figures.inline(output, FIND_FIGURE)


def lab_content(html: str, lab: Lab, page: SitePage, config: MkDocsConfig, files: Files) -> str:
    """Страница лабораторной: тексты ячеек показывает Markdown сайта, одно оглавление на все."""
    separator = "\n\n<hr data-cell>\n\n"
    source = SitePage(None, page.file, config)
    source.markdown = separator.join(lab.markdown_cells)
    note = note_for(lab.page)
    if note:
        source.markdown = render.insert_note(source.markdown, note)
    # page.render у тетрадей подменяет mkdocs-jupyter; у новой страницы он обычный.
    source.render(config, files)
    page.toc, page.file.page = source.toc, page
    return labs.tidy(html, lab, (source.content or "").split("<hr data-cell>"))


@event_priority(-50)
def on_post_build(config: MkDocsConfig) -> None:
    """Убирает карту сайта без адреса — в ней только дата сборки — и пускает следующую сборку."""
    if not config.site_url:
        for name in ("sitemap.xml", "sitemap.xml.gz"):
            (Path(config.site_dir) / name).unlink(missing_ok=True)
    if build_lock.is_locked:
        build_lock.release()


def on_build_error(error: Exception) -> None:
    """И после ошибки — тоже."""
    if build_lock.is_locked:
        build_lock.release()
