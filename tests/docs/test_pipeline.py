"""Что конвейер обещает автору: верный сайт или одна ясная ошибка с местом."""

import filecmp
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from docs_build import records
from tests.docs.conftest import CODE


def add_block(project, code: str) -> None:
    """Дописывает на страницу блок с кодом."""
    project.write("snippets/lesson/extra.py", code)
    project.replace("docs/lesson.md", "# Урок\n", '# Урок\n\n```python\n--8<-- "lesson/extra.py"\n```\n')


def record(project) -> dict:
    return json.loads((project.root / "outputs" / "lesson.json").read_text(encoding="utf-8"))


def test_output_stands_under_its_block_and_numbers_in_the_text(project):
    code, log = project.build("--strict")
    assert code == 0, log
    html = project.html()
    assert project.output_blocks() == ["сумма 4", "вдвое больше 8"]
    assert "Сумма равна 4" in html
    assert "<math" in html
    assert "# docs:" not in html and "8&lt;" not in html


def test_figure_is_inlined_with_description_and_unique_ids(project):
    add_block(
        project,
        "# docs: alt Прямая линия\nimport matplotlib.pyplot as plt\n\nfor _ in range(1):\n"
        "    plt.plot([1, 2])\n    plt.show()\n",
    )
    code, log = project.build("--strict")
    assert code == 0, log
    html = project.html()
    assert '<figure class="plot"><svg data-search-exclude role="img" aria-label="Прямая линия"' in html
    assert "var(--plot-1, #1f77b4)" in html
    assert 'id="figure_1"' not in html


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\nraise ValueError('сломалось')\n", ["docs/lesson.md:3", "snippets/lesson/extra.py:2", "сломалось"]),
        ("def f():\n    return 1 / 0\n\n\nf()\n", ["snippets/lesson/extra.py:2", "ZeroDivisionError"]),
        ("print('', end='')\n", ["docs/lesson.md:3", "ничего не напечатал"]),
        ("import warnings\nwarnings.warn('осторожно')\n", ["docs/lesson.md:3", "поток ошибок", "осторожно"]),
        ("import matplotlib.pyplot as plt\nplt.show()\n", ["docs/lesson.md:3", "рисунка нет"]),
        ("import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\n", ["docs/lesson.md:3", "описаний — 0"]),
        ("# docs: limit 1\nimport time\ntime.sleep(60)\n", ["docs/lesson.md:3", "дольше 1 с"]),
        ("import os\nos._exit(7)\n", ["docs/lesson.md:3", "код 7"]),
        ("x = (\n", ["snippets/lesson/extra.py:1", "SyntaxError"]),
        ("# docs: near много\nprint(1)\n", ["docs/lesson.md:3", "нужно число"]),
        ("# docs: naer 0.1\nprint(1)\n", ["docs/lesson.md:3", "неизвестная строка"]),
        ("# docs: expect a <\nprint(1)\n", ["docs/lesson.md:3", "нужно сравнение"]),
        ("# docs: expect a < 2\na = 1\n", ["docs/lesson.md:3", "неизвестно: a"]),
        ("# docs: quote a b\n# docs: expect a < b\na = b = 1\n", ["docs/lesson.md:3", "ждали a < b", "a = 1, b = 1"]),
        ("# docs: quote nothing\nprint(1)\n", ["snippets/lesson/extra.py:1", "nothing", "такого имени нет"]),
        ("print('\\x1b[31mкрасный')\n", ["docs/lesson.md:3", "управляющий знак"]),
        ("print('а' * 30000)\n", ["docs/lesson.md:3", "30001"]),
        ("import urllib.request\nurllib.request.urlopen('http://example.org')\n", ["extra.py:2", "сети"]),
    ],
)
def test_bad_block_stops_the_build_and_names_the_place(project, code, message):
    add_block(project, code)
    exit_code, log = project.build()
    assert exit_code == 1
    for part in message:
        assert part in log
    assert not (project.root / "outputs" / "lesson.json").exists()
    assert not (project.root / "site" / "lesson").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("code.py:first", "nothing.py", ["docs/lesson.md:5", "нет такого фрагмента", "nothing.py"]),
        ("code.py:first", "code.py:third", ["docs/lesson.md:5", "нет такого фрагмента", "third"]),
        ("code.py:first", "code.py", ["docs/lesson.md:5", "есть разделы"]),
        ('--8<-- "lesson/code.py:first"', "print(1)", ["docs/lesson.md:5", "ровно одна строка включения"]),
        ("```python\n", "``` python\n", ["docs/lesson.md:5", "похоже на Python"]),
        ("```python\n", "```py\n", ["docs/lesson.md:5", "похоже на Python"]),
        ("```python\n", '```python title="x"\n', ["docs/lesson.md:5", "похоже на Python"]),
        ("```python\n", "```{.python .annotate}\n", ["docs/lesson.md:5", "похоже на Python"]),
        ("{{ total }}", "{{ totl }}", ["docs/lesson.md:3", "нет значения «totl»"]),
        ("{{ total }}", "{{ nowhere.total }}", ["docs/lesson.md:3", "«nowhere»", "такой нет"]),
        ("{{ total }}", "{{ total:.2q }}", ["docs/lesson.md:3", "формат"]),
        ("$a^2$", "$\\frac{1}$", ["lesson.md", "формула"]),
    ],
)
def test_bad_page_stops_the_build_and_names_the_place(project, old, new, message):
    project.replace("docs/lesson.md", old, new)
    exit_code, log = project.build()
    assert exit_code == 1
    for part in message:
        assert part in log


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[нет](nothing.md)", "nothing.md"),
        ("[нет](index.md#якоря-нет)", "якоря-нет"),
        ("![рисунок](assets/no.svg)", "no.svg"),
    ],
)
def test_broken_link_fails_the_strict_build(project, text, message):
    project.replace("docs/lesson.md", "# Урок\n", f"# Урок\n\n{text}\n")
    exit_code, log = project.build("--strict")
    assert exit_code == 1
    assert message in log


def test_page_left_out_of_the_navigation_fails_the_strict_build(project):
    project.write("docs/forgotten.md", "# Забытая\n")
    exit_code, log = project.build("--strict")
    assert exit_code == 1
    assert "forgotten.md" in log


def test_editing_text_runs_nothing_and_editing_code_runs_its_page(project):
    project.write("docs/other.md", '# Другая\n\n```python\n--8<-- "lesson/other.py"\n```\n')
    project.write("snippets/lesson/other.py", "print('другая')\n")
    assert "lesson" in project.command("docs_build", "run")[1]
    project.replace("docs/lesson.md", "Сумма равна", "Итог равен")
    assert "выполнять нечего" in project.command("docs_build", "run")[1]
    project.replace("snippets/lesson/code.py", "вдвое больше", "удвоенная")
    log = project.command("docs_build", "run")[1]
    assert "lesson:" in log and "other:" not in log


@pytest.mark.parametrize(
    ("name", "old", "new", "runs"),
    [
        ("modern_nets/used.py", "2", "3", True),
        ("modern_nets/unused.py", "1", "3", False),
        ("requirements/lessons.lock", "==1", "==2", True),
        ("docs_build/render.py", '"""', '"""Ещё. ', False),
    ],
)
def test_record_is_stale_when_what_it_depends_on_changes(project, name, old, new, runs):
    project.command("docs_build", "run")
    project.replace(name, old, new)
    log = project.command("docs_build", "run")[1]
    assert ("lesson:" in log) == runs


def test_data_read_by_a_block_is_a_dependency(project):
    project.write("modern_nets/data/numbers.txt", "5\n")
    add_block(
        project,
        "from importlib.resources import files\n\nprint((files('modern_nets') / 'data/numbers.txt').read_text())\n",
    )
    project.command("docs_build", "run")
    project.write("modern_nets/data/numbers.txt", "6\n")
    project.build()
    assert project.output_blocks()[0] == "6"


@pytest.mark.parametrize("damage", ["truncated", "edited", "no figure"])
def test_damaged_record_counts_as_stale(project, damage):
    add_block(project, "# docs: alt Точка\nimport matplotlib.pyplot as plt\n\nplt.plot([1])\nplt.show()\n")
    project.command("docs_build", "run")
    path = project.root / "outputs" / "lesson.json"
    whole = path.read_text(encoding="utf-8")
    match damage:
        case "truncated":
            path.write_text(whole[: len(whole) // 2], encoding="utf-8")
        case "edited":
            path.write_text(whole.replace("сумма 4", "сумма 5"), encoding="utf-8")
        case "no figure":
            next((project.root / "outputs" / "figures").glob("*.svg")).unlink()
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert path.read_text(encoding="utf-8") == whole
    assert "сумма 4" in project.output_blocks()


def test_without_libraries_a_stale_page_says_so_and_a_strict_build_refuses(project):
    project.command("docs_build", "run")
    project.without_libraries()
    project.replace("snippets/lesson/code.py", "вдвое больше", "удвоенная")
    exit_code, log = project.build()
    assert exit_code == 0, log
    assert "Вывод на этой странице устарел" in project.html()
    exit_code, log = project.build("--strict")
    assert exit_code == 1
    assert "docs/lesson.md: вывод устарел" in log


def test_without_libraries_recorded_outputs_are_shown(project):
    project.command("docs_build", "run")
    project.without_libraries()
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert project.output_blocks() == ["сумма 4", "вдвое больше 8"]


def test_build_after_a_killed_one_is_right(project):
    slow = project.root / "started"
    add_block(project, f"import pathlib, time\n\npathlib.Path({str(slow)!r}).touch()\ntime.sleep(5)\n")
    process = project.start("mkdocs", "build")
    deadline = time.monotonic() + 60
    while not slow.exists() and time.monotonic() < deadline:
        process.poll()
    process.kill()
    process.communicate()
    project.write("snippets/lesson/extra.py", "print('быстро')\n")
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert project.output_blocks() == ["быстро", "сумма 4", "вдвое больше 8"]


def test_two_builds_at_once_are_both_right(project):
    first, second = project.start("mkdocs", "build", "--strict"), project.start("mkdocs", "build", "--strict")
    for process in (first, second):
        log, _ = process.communicate(timeout=300)
        assert process.returncode == 0, log
    assert project.output_blocks() == ["сумма 4", "вдвое больше 8"]


def test_two_builds_from_the_same_records_are_byte_identical(project):
    add_block(project, "# docs: alt Точка\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()\n")
    project.replace("mkdocs.yml", "name: mkdocs", "name: material")
    project.build("--strict", "-d", "one")
    project.build("--strict", "-d", "two")

    def same(comparison: filecmp.dircmp) -> bool:
        different = [
            name
            for name in comparison.common_files
            if (Path(comparison.left) / name).read_bytes() != (Path(comparison.right) / name).read_bytes()
        ]
        assert not (different or comparison.left_only or comparison.right_only), different
        return all(same(inner) for inner in comparison.subdirs.values())

    assert same(filecmp.dircmp(project.root / "one", project.root / "two"))


def test_fresh_execution_gives_the_same_record(project):
    add_block(project, "# docs: alt Точка\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()\n")
    project.command("docs_build", "run")
    first = record(project)
    (project.root / "outputs" / "lesson.json").unlink()
    project.command("docs_build", "run", "--all")
    assert record(project) == first


def test_time_is_measured_again_only_when_asked(project):
    add_block(project, "# docs: timed\nimport time\nprint(time.perf_counter_ns())")
    project.command("docs_build", "run")
    first = record(project)
    project.command("docs_build", "run", "--all")
    assert record(project) == first
    project.command("docs_build", "run", "docs/lesson.md", "--remeasure")
    assert record(project) != first


def test_check_notices_an_output_that_changed(project):
    project.write("modern_nets/used.py", "import os\n\nADDEND = int(os.environ.get('ADDEND', 2))\n")
    project.command("docs_build", "run")
    assert project.command("docs_build", "check")[0] == 0
    project.write(
        "docs_build/worker.py",
        (project.root / "docs_build/worker.py").read_text(encoding="utf-8") + "\nENVIRONMENT['ADDEND'] = '5'\n",
    )
    exit_code, log = project.command("docs_build", "check")
    assert exit_code == 1
    assert "docs/lesson.md:5" in log and "сумма 7" in log


def test_codeblocks_make_one_item_a_fence_sharing_one_namespace(project):
    project.command("docs_build", "run")
    exit_code, log = project.command("pytest", "--codeblocks", "docs", "-p", "no:cacheprovider")
    assert exit_code == 0, log
    assert "2 passed" in log
    # Второй блок пользуется именем из первого: выбранный один, он выполняет и первый.
    exit_code, log = project.command("pytest", "--codeblocks", "docs/lesson.md::line 9", "-p", "no:cacheprovider")
    assert exit_code == 0, log
    assert "1 passed" in log


def test_codeblocks_compare_with_what_the_page_shows(project):
    project.command("docs_build", "run")
    project.write("modern_nets/used.py", "ADDEND = 3\n")
    exit_code, log = project.command("pytest", "--codeblocks", "docs", "-p", "no:cacheprovider")
    assert exit_code == 1
    assert "docs/lesson.md:5" in log and "вывод не сошёлся с записью" in log


def test_export_writes_pages_with_their_outputs(project):
    project.command("docs_build", "run")
    exit_code, log = project.command("docs_build", "export", "plain")
    assert exit_code == 0, log
    text = (project.root / "plain" / "lesson.md").read_text(encoding="utf-8")
    assert "сумма 4" in text and "Сумма равна 4" in text and "8<" not in text


def test_expectation_may_name_values_of_the_blocks_above(project):
    project.replace("snippets/lesson/code.py", 'print("вдвое', '# docs: expect total == 4\nprint("вдвое')
    code, log = project.build("--strict")
    assert code == 0, log
    assert "expect" not in project.html()
    project.replace("snippets/lesson/code.py", "total == 4", "total > 4")
    code, log = project.command("docs_build", "check")
    assert code == 1
    assert "ждали total > 4, вышло total = 4" in log


def test_record_that_does_not_confirm_the_page_is_not_shown(project):
    """Хуже измеренного запись не станет: ни порог, ни число в ней без опыта не поменять."""
    project.replace("snippets/lesson/code.py", 'print("вдвое', '# docs: expect total == 4\nprint("вдвое')
    project.command("docs_build", "run")
    forged = record(project)
    forged["values"]["total"] = 3
    del forged["format"], forged["checksum"]
    forged = {"format": records.FORMAT, "checksum": records.checksum_of(forged), **forged}
    project.write("outputs/lesson.json", json.dumps(forged, ensure_ascii=False))
    _, log = project.command("docs_build", "run")
    assert record(project)["values"]["total"] == 4, log
    project.replace("snippets/lesson/code.py", "total == 4", "total > 4")
    code, log = project.build("--strict")
    assert code != 0 and "ждали total > 4, вышло total = 4" in log


def test_whole_code_of_an_experiment_is_one_file_that_runs(project):
    code, log = project.build("--strict")
    assert code == 0, log
    assert project.html().count('href="../assets/code/lesson/code.py"') == 1
    whole = project.root / "site" / "assets" / "code" / "lesson" / "code.py"
    text = whole.read_text(encoding="utf-8")
    assert "docs:" not in text and "8<" not in text
    run = subprocess.run(
        [sys.executable, whole],
        cwd=project.root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(project.root), "PYTHONIOENCODING": "utf-8"},
    )
    assert run.stdout == "сумма 4\nвдвое больше 8\n"


def test_file_does_not_see_names_of_another_file(project):
    """Страница выполняет файл так же, как читатель, который скачал его одного."""
    project.write("snippets/lesson/extra.py", "print(total)\n")
    second = '--8<-- "lesson/code.py:second"\n```\n'
    project.replace("docs/lesson.md", second, second + '\n```python\n--8<-- "lesson/extra.py"\n```\n')
    code, log = project.command("docs_build", "run")
    assert code == 1
    assert "NameError: name 'total' is not defined" in log and "extra.py:1" in log


def test_moved_block_keeps_its_output(project):
    project.command("docs_build", "run")
    project.without_libraries()
    text = (project.root / "docs" / "lesson.md").read_text(encoding="utf-8")
    project.write(
        "docs/lesson.md",
        text.replace(':second"', ':SECOND"').replace(':first"', ':second"').replace(':SECOND"', ':first"'),
    )
    project.build()
    assert project.output_blocks() == ["вдвое больше 8", "сумма 4"]


def test_block_sees_itself_as_a_program(project):
    add_block(
        project,
        "import inspect\nimport pickle\n\n\nclass Point:\n    x = 3\n\n\n"
        "print(__name__, pickle.loads(pickle.dumps(Point())).x)\nprint(inspect.getsource(Point))\n",
    )
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert project.output_blocks()[0] == "__main__ 3\nclass Point:\n    x = 3"


def test_page_in_a_subfolder_finds_its_figures(project):
    project.write("docs/part/page.md", '# Часть\n\n```python\n--8<-- "lesson/plot.py"\n```\n')
    project.write(
        "snippets/lesson/plot.py",
        "# docs: alt Прямая [a_b]\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()\n",
    )
    project.replace("mkdocs.yml", "nav: [index.md, lesson.md]", "nav: [index.md, lesson.md, part/page.md]")
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert 'aria-label="Прямая [a_b]"' in project.html("part/page/index.html")


@pytest.mark.parametrize("encode", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_files_of_a_windows_editor_are_read(project, encode):
    for name in ("docs/lesson.md", "snippets/lesson/code.py"):
        path = project.root / name
        path.write_bytes(encode(path.read_text(encoding="utf-8")).encode())
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert project.output_blocks() == ["сумма 4", "вдвое больше 8"]


def test_file_in_another_encoding_is_named(project):
    (project.root / "snippets" / "lesson" / "code.py").write_bytes(CODE.encode("cp1251"))
    exit_code, log = project.build()
    assert exit_code == 1
    assert "docs/lesson.md:5" in log and "UTF-8" in log


def test_block_inside_a_tab_keeps_its_output_there(project):
    project.replace("mkdocs.yml", "  - admonition\n", "  - admonition\n  - pymdownx.tabbed: {alternate_style: true}\n")
    text = (project.root / "docs" / "lesson.md").read_text(encoding="utf-8")
    block = '```python\n--8<-- "lesson/code.py:second"\n```\n'
    tab = '=== "Вкладка"\n\n' + "".join(f"    {line}\n" for line in block.splitlines())
    project.write("docs/lesson.md", text.replace(block, tab))
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    tabbed = project.html().partition('class="tabbed-block"')[2]
    assert "вдвое больше 8" in re.sub(r"<[^>]+>", "", tabbed)


def test_two_runs_at_once_are_both_right(project):
    first, second = project.start("docs_build", "run"), project.start("docs_build", "run")
    for process in (first, second):
        log, _ = process.communicate(timeout=300)
        assert process.returncode == 0, log
    assert project.build("--strict")[0] == 0


def test_server_shows_the_error_of_a_block_and_recovers(project):
    project.command("docs_build", "run")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = project.start("mkdocs", "serve", "-q", "--livereload", "-a", f"127.0.0.1:{port}")

    def wait_for(text: str) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/lesson/", timeout=30) as answer:
                    if text in re.sub(r"<[^>]+>", "", answer.read().decode()):
                        return
            except OSError:
                assert server.poll() is None, server.communicate()[0]
        raise AssertionError(f"на странице так и не появилось «{text}»")

    try:
        wait_for("сумма 4")
        project.replace("snippets/lesson/code.py", '"сумма"', "сумма")
        wait_for("Блок не выполнился")
        wait_for("code.py:6")
        project.replace("snippets/lesson/code.py", "print(сумма", 'print("итого"')
        wait_for("итого 4")
    finally:
        server.terminate()
        server.communicate()
