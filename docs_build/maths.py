"""Формулы LaTeX → MathML во время сборки: странице не нужны ни скрипты, ни шрифты."""

import html
import re
from pathlib import Path

from math_core import LatexError, LatexToMathML

from docs_build.project import DocsError, read_text, relative

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)
ANSI = re.compile(r"\x1b\[[\d;]*m")

_converter = LatexToMathML()


def convert(page_html: str, path: Path) -> str:
    """Заменяет формулы, найденные arithmatex, на MathML.

    Raises:
        DocsError: формула записана с ошибкой.
    """

    def to_mathml(latex: str, *, display: bool) -> str:
        source = html.unescape(latex).strip()
        try:
            return _converter.convert_with_local_state(source, displaystyle=display)
        except LatexError as error:
            lines = enumerate(read_text(path).splitlines(), start=1)
            first = source.split("\n")[0]
            number = next((f":{number}" for number, line in lines if first in line), "")
            # В сообщении — ещё и раскрашенный рисунок; первой строки достаточно.
            reason = ANSI.sub("", str(error)).strip().split("\n")[0].removeprefix("Error: ")
            raise DocsError(relative(path) + number, f"формула «{source}» записана с ошибкой: {reason}") from None

    page_html = DISPLAY.sub(lambda m: f'<div class="math">{to_mathml(m[1], display=True)}</div>', page_html)
    return INLINE.sub(lambda m: to_mathml(m[1], display=False), page_html)
