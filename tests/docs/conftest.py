"""Маленький проект с тем же конвейером: проверки ломают его, не трогая настоящий."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """\
site_name: Проба
theme: {name: mkdocs, locale: ru}
nav: [index.md, lesson.md]
watch: [snippets]
hooks: [docs_build/hook.py]
validation: {nav: {omitted_files: warn, not_found: warn}, links: {not_found: warn, anchors: warn}}
plugins: []
markdown_extensions:
  - attr_list
  - admonition
  - pymdownx.superfences
  - pymdownx.highlight: {pygments_lang_class: true}
  - pymdownx.arithmatex: {generic: true}
  - toc: {slugify: !!python/object/apply:pymdownx.slugs.slugify {kwds: {case: lower}}}
"""

LESSON = """\
# Урок

Сумма равна {{ total }}, формула $a^2$.

```python
--8<-- "lesson/code.py:first"
```

```python
--8<-- "lesson/code.py:second"
```
"""

CODE = """\
# --8<-- [start:first]
# docs: quote total
from modern_nets.used import ADDEND

total = 2 + ADDEND
print("сумма", total)
# --8<-- [end:first]

# --8<-- [start:second]
print("вдвое больше", total * 2)
# --8<-- [end:second]
"""


@dataclass
class Project:
    """Копия проекта и команды над ней."""

    root: Path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text, f"в {name} нет «{old}»"
        self.write(name, text.replace(old, new))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(self.root)}
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=environment,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def command(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def build(self, *arguments: str) -> tuple[int, str]:
        return self.command("mkdocs", "build", *arguments)

    def html(self, name: str = "lesson/index.html") -> str:
        return (self.root / "site" / name).read_text(encoding="utf-8")

    def output_blocks(self) -> list[str]:
        blocks = re.findall(r'<div class="language-text output highlight">.*?</div>', self.html(), re.DOTALL)
        return [re.sub(r"<[^>]+>", "", block).strip() for block in blocks]

    def without_libraries(self) -> None:
        """Как на машине, где поставлено только то, что показывает сайт."""
        self.replace("docs_build/hook.py", '"torch", ', '"no_such_library", ')


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    shutil.copytree(ROOT / "docs_build", made.root / "docs_build", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "conftest.py", made.root / "conftest.py")
    worker = made.root / "docs_build" / "worker.py"
    # Блокам маленького проекта PyTorch не нужен, а загружать его при каждой проверке долго.
    worker.write_text(
        re.sub(r"PRELOADED = \[.*?\]", "PRELOADED: list[str] = []", worker.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    made.write("modern_nets/__init__.py", '"""Пакет."""\n')
    made.write("modern_nets/used.py", "ADDEND = 2\n")
    made.write("modern_nets/unused.py", "OTHER = 1\n")
    made.write("requirements/lessons.lock", "torch==1\n")
    made.write("mkdocs.yml", CONFIG)
    made.write("docs/index.md", "# Главная\n\n[Урок](lesson.md)\n")
    made.write("docs/lesson.md", LESSON)
    made.write("snippets/lesson/code.py", CODE)
    return made
