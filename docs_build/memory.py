"""Память сервера: страница, текст которой не изменился, не разбирается заново при каждой правке соседней."""

from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

RENDERED = ("content", "toc", "_title_from_render", "present_anchor_ids")


@dataclass
class Remembered:
    """Разобранная страница и то, из чего она получена."""

    made_from: tuple[Any, ...]
    attributes: dict[str, Any]
    links: dict[str, dict[str, str]]


_memory: dict[str, Remembered] = {}


def remember(page: Page, markdown: str, config: MkDocsConfig, files: Files) -> None:
    """Подменяет у страницы разбор: если текст, список файлов и настройки те же, берёт прежний итог.

    Страницы справочника (`:::`) зависят ещё и от исходников пакета и разбираются всегда.
    """
    if "\n::: " in markdown:
        return
    settings = Path(config.config_file_path).stat().st_mtime_ns if config.config_file_path else 0
    made_from = (markdown, settings, sorted(files.src_uris))

    def render(self: Page, config: MkDocsConfig, files: Files) -> None:
        known = _memory.get(self.file.src_uri)
        if known and known.made_from == made_from:
            vars(self).update(known.attributes)
            # Ключи — файлы этой сборки: ссылки на якоря изменившихся страниц проверяются как обычно.
            found = ((files.get_file_from_path(uri), links) for uri, links in known.links.items())
            self.links_to_anchors = {file: links for file, links in found if file}
            return
        Page.render(self, config, files)
        attributes = {name: getattr(self, name) for name in RENDERED}
        links = {file.src_uri: links for file, links in (self.links_to_anchors or {}).items()}
        _memory[self.file.src_uri] = Remembered(made_from, attributes, links)

    page.render = MethodType(render, page)  # type: ignore[method-assign]
