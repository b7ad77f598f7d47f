"""Где что лежит; одна ошибка и один замок на весь конвейер."""

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
LABS = DOCS / "labs"
SNIPPETS = ROOT / "snippets"
OUTPUTS = ROOT / "outputs"
FIGURES = OUTPUTS / "figures"
CACHE = ROOT / ".cache"
HUB_CACHE = CACHE / "huggingface"
LESSONS_LOCK = ROOT / "requirements" / "lessons.lock"


class DocsError(Exception):
    """Ошибка в содержании сайта: место, что случилось и что делать."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


build_lock = FileLock(CACHE / "build.lock")


def take_build_lock(say: Callable[[str], None] = print) -> None:
    """Занимает замок записей; если идёт другая сборка, говорит об этом и ждёт её конца."""
    try:
        build_lock.acquire(timeout=0)
    except Timeout:
        say("Ждём, пока закончится другая сборка…")
        build_lock.acquire()


def read_text(path: Path) -> str:
    """Текст файла, написанного человеком; метка порядка байтов в начале допустима.

    Raises:
        DocsError: файл не в UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DocsError(relative(path), "файл не в кодировке UTF-8. Сохраните его в UTF-8.") from None


def relative(path: Path) -> str:
    """Путь от корня проекта, с прямыми чертами на любой системе."""
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
