"""Где что лежит, и одна ошибка на весь конвейер."""

from pathlib import Path

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


def relative(path: Path) -> str:
    """Путь от корня проекта, с прямыми чертами на любой системе."""
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
