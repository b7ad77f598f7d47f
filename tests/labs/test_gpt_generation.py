"""Лабораторная о генерации на своём тексте: папка с кодом, один файл, слишком короткий файл, чужая кодировка."""

from pathlib import Path

import pytest

from docs_build.labs import load_lab
from docs_build.project import LABS

LAB = LABS / "gpt-generation.py"
SETTINGS, IMPORTS, TEXTS = (block.code for block in load_lab(LAB).page.blocks[:3])
LINE = "def имя(аргумент):\n    return аргумент + 1\n\n\n"


def run_up_to_texts(path: Path) -> dict:
    """Выполняет ячейки тетради до деления текста включительно, с настоящей GPT-2 в настройках."""
    settings = SETTINGS.replace("REAL = False", "REAL = True").replace(
        "MY_TEXT = None", f"MY_TEXT = Path({str(path)!r})"
    )
    assert "REAL = True" in settings and str(path) in settings
    names = {"__name__": "__main__"}
    for code in (settings, IMPORTS, TEXTS):
        exec(compile(code, LAB.name, "exec"), names)
    return names


def test_folder_is_split_by_whole_files(tmp_path: Path):
    for i in range(10):
        (tmp_path / f"module_{i}.py").write_text(LINE * (50 + i), encoding="utf-8")
    (tmp_path / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "notes.rst").write_text("не код", encoding="utf-8")
    names = run_up_to_texts(tmp_path)
    learned, held_out = names["learned"], names["held_out"]
    assert not learned.keys() & held_out.keys()
    assert sorted(learned | held_out) == [f"module_{i}.py" for i in range(10)]
    total = sum(len(text) for text in (learned | held_out).values())
    assert 0.1 <= sum(map(len, held_out.values())) / total < 0.25
    assert names["window"] == 512


def test_single_file_gives_its_end(tmp_path: Path):
    text = "".join(f"Запись {i}: сегодня ничего не случилось.\n" for i in range(1000))
    path = tmp_path / "diary.txt"
    path.write_text(text, encoding="utf-8")
    names = run_up_to_texts(path)
    ((_, start),) = names["learned"].items()
    ((_, end),) = names["held_out"].items()
    assert start + end == text and 0.09 < len(end) / len(text) < 0.11


def test_short_text_and_foreign_encoding_are_refused(tmp_path: Path):
    path = tmp_path / "short.txt"
    path.write_text("мало", encoding="utf-8")
    with pytest.raises(ValueError, match="слишком мало"):
        run_up_to_texts(path)
    path.write_bytes(bytes(range(128, 256)) * 200)
    with pytest.raises(ValueError, match=r"short\.txt.*кодировка не угадана"):
        run_up_to_texts(path)


def test_russian_encoding_is_guessed(tmp_path: Path):
    path = tmp_path / "дневник.txt"
    path.write_bytes(("Довольно длинный текст. " * 1000).encode("cp1251"))
    assert "Довольно длинный" in next(iter(run_up_to_texts(path)["learned"].values()))


def test_nested_folders_are_read_and_libraries_are_not(tmp_path: Path):
    for name in ("src/a.py", "src/deep/b.py", "notes/c.md", "venv/lib/d.py", ".git/e.py", "src/__pycache__/f.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n" * 500, encoding="utf-8")
    names = run_up_to_texts(tmp_path)
    read = {Path(name).as_posix() for name in (*names["learned"], *names["held_out"])}
    assert read == {"src/a.py", "src/deep/b.py", "notes/c.md"}


def test_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="слишком мало"):
        run_up_to_texts(tmp_path)
