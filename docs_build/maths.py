"""Формулы LaTeX → MathML во время сборки: странице не нужны ни скрипты, ни шрифты."""

import html
import re

from math_core import LatexError, LatexToMathML

from docs_build.project import DocsError

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)

_converter = LatexToMathML()


def convert(page_html: str, place: str) -> str:
    """Заменяет формулы, найденные arithmatex, на MathML.

    Raises:
        DocsError: формула записана с ошибкой.
    """

    def to_mathml(latex: str, *, display: bool) -> str:
        source = html.unescape(latex).strip()
        try:
            return _converter.convert_with_local_state(source, displaystyle=display)
        except LatexError as error:
            raise DocsError(place, f"формула «{source}» записана с ошибкой: {error}") from None

    page_html = DISPLAY.sub(lambda m: f'<div class="math">{to_mathml(m[1], display=True)}</div>', page_html)
    return INLINE.sub(lambda m: to_mathml(m[1], display=False), page_html)
