"""Сходится ли свежий вывод с записанным.

exact   текст равен до буквы, рисунок — до байта;
near    текст вокруг чисел равен, числа различаются не больше чем на долю допуска;
timed   текст вокруг чисел равен, сами числа могут быть любыми;
sampled столько же строк: слова сочинила сеть, обученная на странице, и на другом процессоре они другие.
"""

import re

from docs_build.pages import Options

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)
SVG_TEXT = re.compile(r"<text\b[^>]*>(.*?)</text>", re.DOTALL)
SVG_TAG = re.compile(r"<[^>]+>")


def difference(recorded: str, fresh: str, options: Options) -> str:
    """Чем свежий текст не сходится с записанным; пустая строка, если сходится."""
    if options.kind == "exact":
        return "" if recorded == fresh else f"было:\n{recorded}\nстало:\n{fresh}"
    if options.kind == "sampled":
        old, new = recorded.count("\n") + 1, fresh.count("\n") + 1
        return "" if old == new else f"строк было {old}, стало {new}:\n{fresh}"
    if skeleton(recorded) != skeleton(fresh):
        return f"изменился текст вокруг чисел; было:\n{recorded}\nстало:\n{fresh}"
    if options.kind == "near":
        for old, new in zip(NUMBER.findall(recorded), NUMBER.findall(fresh), strict=True):
            if not close(to_float(old), to_float(new), options.tolerance):
                return f"число {old} стало {new}, а допуск — {options.tolerance:.0%}; стало:\n{fresh}"
    return ""


def figure_difference(recorded: str, fresh: str, options: Options) -> str:
    """То же для рисунка: у неточных сравниваются подписи и число картинок, а не координаты."""
    if options.kind == "exact":
        return "" if recorded == fresh else "рисунок изменился"
    if labels(recorded) != labels(fresh):
        return f"подписи рисунка были {labels(recorded)}, стали {labels(fresh)}"
    if recorded.count("<image") != fresh.count("<image"):
        return "на рисунке изменилось число картинок"
    return ""


def value_difference(recorded: object, fresh: object, options: Options) -> str:
    """То же для значения, которое цитируют в тексте."""
    if isinstance(recorded, bool) or isinstance(fresh, bool) or isinstance(recorded, str) or isinstance(fresh, str):
        same = recorded == fresh
    elif not isinstance(recorded, (int, float)) or not isinstance(fresh, (int, float)):
        same = False
    elif options.kind in ("timed", "sampled"):
        same = True
    else:
        # Цитируют не больше четырёх значащих цифр.
        same = close(recorded, fresh, options.tolerance or 1e-4)
    return "" if same else f"было {recorded!r}, стало {fresh!r}"


def skeleton(text: str) -> list[str]:
    """Текст без чисел; ширина пробелов зависит от чисел и не важна."""
    return NUMBER.sub("#", text).split()


def labels(svg: str) -> list[str]:
    """Подписи рисунка, в которых есть слова, без разметки и чисел: деления осей меняются вместе с данными."""
    texts = (SVG_TAG.sub("", text) for text in SVG_TEXT.findall(svg))
    return [" ".join(skeleton(text)) for text in texts if any(letter.isalpha() for letter in text)]


def to_float(text: str) -> float:
    """Число, записанное с точкой или запятой."""
    return float(text.replace("−", "-").replace(",", "."))


def close(old: float, new: float, tolerance: float) -> bool:
    """Отличаются ли числа не больше чем на долю допуска от большего; совсем малые равны."""
    return abs(old - new) <= max(tolerance * max(abs(old), abs(new)), 1e-9)
