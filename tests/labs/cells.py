"""Ячейки лабораторной как программа: выполнить до нужного места и заменить настройки."""

from pathlib import Path
from typing import Any

import jupytext

LABS = Path(__file__).parents[2] / "docs" / "labs"


def run_cells(name: str, *, until: str | None = None, **settings: Any) -> dict[str, Any]:
    """Выполняет ячейки кода по порядку в одном пространстве имён.

    Args:
        name: Имя лабораторной.
        until: Остановиться перед первой ячейкой кода, в которой есть эта строка; None — выполнить все.
        settings: Значения переменных: ставятся на место присвоенных, после каждой ячейки, где те появились.

    Returns:
        Пространство имён.
    """
    space: dict[str, Any] = {"__name__": "__main__"}
    notebook = jupytext.read(LABS / f"{name}.py", fmt="py:percent")
    left = dict(settings)
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        if until and until in cell.source:
            return space
        exec(compile(cell.source, f"{name}, ячейка {number}", "exec"), space)
        space |= {key: left.pop(key) for key in list(left) if key in space}
    assert not until, f"в {name} нет ячейки со строкой {until}"
    assert not left, f"в {name} нет переменных {sorted(left)}"
    return space
