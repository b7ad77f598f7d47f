"""Рисунки: графики matplotlib и нарисованные схемы, одинаково в светлой и тёмной схеме сайта.

Граф записан таким, каким его отдал matplotlib, только с уникальными id; цвета схемы подставляются при сборке.
"""

import html
import re
from pathlib import Path
from urllib.parse import unquote

ID = re.compile(r'\bid="([^"]+)"')
PLOT_COLORS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"]
IMAGE = re.compile(r"<img\b[^>]*>")
IMAGE_ALONE = re.compile(r"<p>\s*(<img\b[^>]*>)\s*</p>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


def normalise(svg: str, prefix: str) -> str:
    """Делает SVG пригодным для вставки в страницу: без заголовка XML, с id, не повторяющимися на странице."""
    prefix = re.sub(r"[^\w.-]", "_", prefix)
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    referenced = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg))

    def keep(match: re.Match[str]) -> str:
        return f'id="{prefix}-{match[1]}"' if match[1] in referenced else ""

    svg = ID.sub(keep, svg)
    svg = re.sub(r"(url\(#|href=\"#)([^\")]+)", rf"\g<1>{prefix}-\g<2>", svg)
    svg = re.sub(r"<g\s*>", "<g>", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def themed(svg: str) -> str:
    """Подставляет цвета схемы: чёрный — цвет текста, C0…C5 — краски графиков."""
    for number, color in enumerate(PLOT_COLORS, start=1):
        svg = re.sub(color, f"var(--plot-{number}, {color})", svg, flags=re.IGNORECASE)
    svg = re.sub(r"#000000|#000(?![0-9a-fA-F])", "currentColor", svg)
    svg = re.sub(r"#808080", "var(--plot-muted, #808080)", svg)
    # Подложка легенды — цвет страницы.
    svg = re.sub(
        r'(<g[^>]*>\s*<path[^>]*style=")fill: #ffffff; opacity: 0\.8; stroke: #cccccc',
        r"\1fill: var(--plot-bg, #ffffff); opacity: 0.8; stroke: #cccccc",
        svg,
    )
    # Текст без цвета чёрный: в странице он должен быть цвета текста и её же шрифтом.
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    return svg


def inline(page_html: str, find: "FigureFinder") -> str:
    """Вставляет на место `<img>` сами рисунки, с подписью из title и описанием из alt."""

    def replace(match: re.Match[str]) -> str:
        attributes = dict(ATTRIBUTE.findall(match[0]))
        path = find(attributes.get("src", ""))
        if path is None:
            return match[0]
        plot = "plot" in attributes.get("class", "").split()
        alt = html.unescape(attributes.get("alt", ""))
        return figure_html(path.read_text(encoding="utf-8"), alt, attributes.get("title", ""), plot=plot)

    page_html = IMAGE_ALONE.sub(lambda match: replace(match) if find_source(match[1], find) else match[0], page_html)
    return IMAGE.sub(replace, page_html)


def figure_html(svg: str, alt: str, caption: str = "", *, plot: bool) -> str:
    """Рисунок как часть страницы: описание для тех, кто его не видит, и подпись."""
    svg = re.sub(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->", "", svg, flags=re.DOTALL).strip()
    if plot:
        svg = themed(svg)
    svg = svg.replace("<svg", f'<svg data-search-exclude role="img" aria-label="{html.escape(alt, quote=True)}"', 1)
    svg = re.sub(r">\s+<", "><", svg)
    figcaption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure class="{"plot" if plot else "drawing"}">{svg}{figcaption}</figure>'


def find_source(tag: str, find: "FigureFinder") -> Path | None:
    """Файл рисунка, на который указывает `<img>`."""
    return find(dict(ATTRIBUTE.findall(tag)).get("src", ""))


class FigureFinder:
    """Находит файл рисунка по адресу картинки на странице."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders

    def __call__(self, src: str) -> Path | None:
        """Файл SVG из известных папок или None."""
        for part, folder in self.folders.items():
            _, found, name = unquote(src).partition(part)
            if found and name.endswith(".svg") and (folder / name).is_file():
                return folder / name
        return None
