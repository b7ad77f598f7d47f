"""Что обещают сами страницы: полные уроки, весь код показан и выполняется, ничего из модуля не потеряно."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs_build import worker
from docs_build.labs import find_labs
from docs_build.pages import SECTION_MARK, find_pages, load_page
from docs_build.project import DOCS, ROOT, SNIPPETS, relative
from docs_build.render import russian
from docs_build.runner import environment
from modern_nets import cli

LESSONS = ["resnet", "transformer", "bert", "gpt", "vit"]
PAGES = [load_page(path) for path in find_pages()]
FILES = sorted(SNIPPETS.rglob("*.py"))


def prose(page) -> str:
    """Текст страницы без кода, разметки и формул."""
    return prose_of("\n".join(page.lines))


def prose_of(markdown: str) -> str:
    """Текст без кода, рисунков, разметки и формул."""
    text = re.sub(r"^ *(`{3,}).*?^ *\1|^!\[[^\n]*$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\$\$.*?\$\$|`[^`]*`|!?\[|\]\([^)]*\)", " ", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_is_complete(name):
    page = next(page for page in PAGES if page.name == name)
    words = re.findall(r"[А-Яа-яЁё]{2,}", prose(page))
    figures = re.findall(r"^!\[.+\]\(assets/figures/", "\n".join(page.lines), re.MULTILINE)
    plots = [alt for block in page.blocks for alt in block.options.alts]
    assert len(words) >= 1500
    assert len(page.blocks) >= 6
    assert figures and plots and len(figures) + len(plots) >= 2
    assert sum(len(block.options.expects) for block in page.blocks) >= 3


def without_collapsed(page) -> str:
    """Страница без свёрнутых вставок, вложенных тоже: их читает тот, кто захочет."""
    kept, depth = [], None
    for line in page.lines:
        indent = len(line) - len(line.lstrip())
        if depth is not None and line.strip() and indent <= depth:
            depth = None
        if depth is None and line.lstrip().startswith("??? "):
            depth = indent
        if depth is None:
            kept.append(line)
    return "\n".join(kept)


def reading_minutes(page) -> float:
    """Время чтения: 160 слов в минуту, по две секунды на строку кода."""
    open_part = without_collapsed(page)
    words = re.findall(r"[^\W\d_]{2,}", prose_of(open_part.split("## Источники")[0]))
    shown = set(re.findall(r'--8<-- "([^"]+)"', open_part))
    code = [
        line
        for block in page.blocks
        if block.reference.removeprefix("snippets/") in shown
        for line in block.shown.splitlines()
        if line.strip()
    ]
    return len(words) / 160 + len(code) * 2 / 60


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_takes_as_long_as_it_says(name):
    page = next(page for page in PAGES if page.name == name)
    stated = re.search(r"(\d+)(?:–(\d+))? минут", "\n".join(page.lines))
    assert stated
    shortest, longest = int(stated[1]), int(stated[2] or stated[1])
    assert 25 <= shortest <= longest <= 40
    assert shortest - 3 <= reading_minutes(page) <= longest


@pytest.mark.parametrize("name", LESSONS)
def test_questions_explain_every_option(name):
    """Шесть вопросов; у каждого не меньше трёх вариантов, верен один, и каждый объяснён."""
    page = next(page for page in PAGES if page.name == name)
    quizzes = "\n".join(page.lines).split('\n!!! quiz "')[1:]
    assert len(quizzes) >= 6
    places = set()
    for number, quiz in enumerate(quizzes, start=1):
        options = re.findall(r'^    \?\?\? (yes|no) "(.+)"\n((?:(?:        .*)?\n)*)', quiz, re.MULTILINE)
        assert quiz.startswith(f"{number}. ")
        assert len(options) >= 3
        assert [kind for kind, _, _ in options].count("yes") == 1
        places.add([kind for kind, _, _ in options].index("yes"))
        for kind, option, explanation in options:
            assert re.match("Верно" if kind == "yes" else "Неверно|Не совсем", explanation.strip()), option
            assert len(explanation.split()) >= 8, option
    assert len(places) >= 3, "верный ответ стоит всё время на одном месте"


def test_every_cited_paper_is_in_the_literature():
    def cited(path):
        return set(re.findall(r"arxiv\.org/abs/(\d{4}\.\d{5})", path.read_text(encoding="utf-8")))

    listed = cited(DOCS / "literature.md")
    assert {path.name: missing for path in DOCS.glob("*.md") if (missing := cited(path) - listed)} == {}


def test_no_python_looking_fence_escapes_pytest_codeblocks():
    """Считает ограждения своим, нарочно широким способом и сравнивает с числом пунктов pytest."""
    looking = re.compile(r"^\s*(?:`{3,}|~{3,})\s*\{?\s*\.?(?:py|ipython)", re.IGNORECASE)
    expected = 0
    for path in [*find_pages(), ROOT / "README.md"]:
        outer = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            fence = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
            if outer:
                outer = "" if fence and fence[1].startswith(outer) and not fence[2].strip() else outer
            elif fence:
                expected += bool(looking.match(line))
                outer = fence[1]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--codeblocks",
        "docs",
        "README.md",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8").stdout
    assert len(re.findall(r"\.md::line \d+", collected)) == expected > 0


def test_every_section_of_every_snippet_is_shown():
    shown = {block.reference for page in PAGES for block in page.blocks}
    written = set()
    for path in FILES:
        marks = [
            mark["name"] for mark in SECTION_MARK.finditer(path.read_text(encoding="utf-8")) if mark["kind"] == "start"
        ]
        written |= {f"{relative(path)}:{name}" for name in marks} or {relative(path)}
    assert written == {reference for reference in shown if reference.startswith("snippets/")}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_code_outside_sections_is_empty(path: Path):
    """Всё, что выполняется в файле с разделами, читатель видит на странице."""
    inside, outside, marked = False, [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        mark = SECTION_MARK.search(line)
        if mark:
            inside, marked = mark["kind"] == "start", True
        elif not inside and line.strip():
            outside.append(line)
    assert not marked or not outside


def test_records_are_fresh_and_none_is_left_over():
    from docs_build import records
    from docs_build.labs import load_lab

    pages = [page for page in [*PAGES, *(load_lab(path).page for path in find_labs())] if page.blocks]
    stale = [page.name for page in pages if not records.is_fresh(records.read_record(page.name), page.blocks)]
    assert not stale, f"вывод устарел: {stale}; выполните make site"
    assert {path.stem for path in records.OUTPUTS.glob("*.json")} == {page.name for page in pages}


# Утверждения модуля, которые обязаны остаться на его страницах (исправленные — в исправленном виде).
MODULE = {
    "index": ["ResNet, Transformer, BERT, GPT", "области применения"],
    "resnet": ["Классификация изображений", "Обнаружение объектов", "Сегментация", "skip"],
    "transformer": ["Гибкость", "мультимодальность", "Длинный контекст", "Multi-Head", "Feed", "рекуррен"],
    "bert": ["Named Entity Recognition", "Классификация текст", "Поиск", "Двунаправленн"],
    "gpt": ["Генерация текст", "Чат-бот", "енерация кода|одогенерация", "P\\(w_t", "следующ"],
    "vit": ["16\\s?×\\s?16", "Универсальность", "позиц", "патч"],
    "comparison": [
        "Attention вместо рекурренции|внимание вместо рекурренции",
        "вопросы и ответы|QA",
        "чат-боты",
        "распознавание",
    ],
    "practice": ["CIFAR-10", "тональност", "GPT-2", "ViT"],
    "checklist": [
        "идею skip-connections",
        "разницу между Transformer, BERT и GPT",
        "обрабатывает картинки",
        "HuggingFace",
    ],
    "homework": ["ResNet-18 на CIFAR-10", "Сравните BERT и GPT", "собак"],
    "faq": ["Почему ResNet так важен", "В чём магия трансформеров", "Почему ViT работает только при больших данных"],
    "next": ["Модуль 6", "Модуль 7", "задача → архитектура", "итоговый проект"],
}


@pytest.mark.parametrize("name", MODULE)
def test_nothing_of_the_module_is_lost(name):
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    lost = [pattern for pattern in MODULE[name] if not re.search(pattern, text, re.IGNORECASE)]
    assert not lost


COMMANDS = [*(DOCS / f"{name}.md" for name in ("maintain", "finetune", "practice")), ROOT / "README.md"]


@pytest.mark.parametrize("path", COMMANDS, ids=relative)
def test_commands_of_the_documentation_exist(path: Path):
    """Каждая команда make — цель Makefile; команды конвейера и modern-nets разбираются ими самими."""
    text = path.read_text(encoding="utf-8").replace("\\\n", "")
    commands = re.findall(r"^\s*\$ (.+)$", text, re.MULTILINE) + re.findall(r"`(make [a-z][^`]*)`", text)
    assert commands
    for command in commands:
        words = command.split()
        if words[0] == "make":
            subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
        elif words[1:3] == ["-m", "docs_build"]:
            subprocess.run([sys.executable, *words[1:4], "--help"], cwd=ROOT, check=True, capture_output=True)
        elif "modern_nets" in words:
            launcher(words[0]).parse_args(words[1:])
            cli._parser().parse_args(words[words.index("modern_nets") + 1 :])
        elif words[0].rpartition("/")[2] == "modern-nets":
            cli._parser().parse_args(words[1:])


def launcher(name: str) -> argparse.ArgumentParser:
    """Разборщик слов запускающей программы."""
    if name == "torchrun":
        from torch.distributed.run import get_args_parser

        return get_args_parser()
    from accelerate.commands.launch import launch_command_parser

    parser = argparse.ArgumentParser()
    launch_command_parser(parser.add_subparsers())
    return parser


def test_workers_see_neither_the_network_nor_the_readers_cache():
    variables = environment()
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert Path(variables["HF_HOME"]).is_relative_to(ROOT)
    assert variables.keys() >= worker.ENVIRONMENT.keys()


@pytest.mark.parametrize(
    ("value", "spec", "shown"),
    [
        (0.9744, ".1%", "97,4\u00a0%"),
        (11689512, ",", "11\u202f689\u202f512"),
        (-1.5, ".1f", "−1,5"),
        (2.9e-6, ".1e", "2,9·10⁻⁶"),
        (True, "", "да"),
        ("слово", "", "слово"),
        (7, "", "7"),
    ],
)
def test_numbers_are_written_the_russian_way(value, spec, shown):
    assert russian(value, spec) == shown
