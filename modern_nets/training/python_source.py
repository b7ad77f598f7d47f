"""Исходный код стандартной библиотеки Python: он есть у каждого, у кого есть Python."""

import sysconfig
from pathlib import Path

from modern_nets.training.measures import point_of

SKIPPED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "_bundled"}
# Таблицы кодировок и справка pydoc — не код; idlelib, lib2to3 и turtledemo есть не во всякой сборке Python.
SKIPPED_FOLDERS |= {"encodings", "pydoc_data", "idlelib", "lib2to3", "turtledemo"}


def standard_library() -> dict[str, str]:
    """Читает исходный код модулей, без тестов и таблиц.

    Returns:
        Путь внутри библиотеки → текст, по алфавиту.

    Raises:
        FileNotFoundError: исходного кода рядом с Python нет (бывает у урезанных сборок).
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    sources = {}
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        made_for_machine = inside.name.startswith("_sysconfigdata") or inside.parts[0].startswith("config-")
        if SKIPPED_FOLDERS.isdisjoint(inside.parts) and not made_for_machine:
            sources[inside.as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    if not sources:
        raise FileNotFoundError(f"В {root} нет исходного кода стандартной библиотеки: поставьте полный Python.")
    return sources


def is_held_out(path: str, percent: int = 7) -> bool:
    """Отложен ли модуль для проверки: пакет (email, asyncio…) отложен или учится целиком.

    Args:
        path: Путь внутри библиотеки.
        percent: Сколько процентов модулей отложить.

    Returns:
        True, если в обучении модуля быть не должно.
    """
    return point_of(path.split("/")[0]) < percent / 100
