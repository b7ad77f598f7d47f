"""Что ни напиши автор, он получает верный сайт или одну ясную ошибку с местом — без стека самого конвейера."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

FENCE = '```python\n--8<-- "lesson/code.py:first"\n```\n'
LAB = "# %% [markdown]\n# # Лабораторная\n\n# %%\nprint(1)\n"


def use_code(project, code: str) -> None:
    """Страница из одного блока с этим кодом."""
    project.write("snippets/lesson/code.py", code)
    project.write("docs/lesson.md", '# Урок\n\n```python\n--8<-- "lesson/code.py"\n```\n')


def fails(project, *message: str) -> None:
    exit_code, log = project.build("--strict")
    assert exit_code == 1
    for part in message:
        assert part in log
    assert "docs_build/" not in log


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (r"print('половина\rцелое')", "управляющий знак"),
        ("# docs: quote v\nv = float('nan')", "«v»"),
        ("# docs: quote v\nv = 10**5000", "«v»"),
        ("# docs: quote v\nclass Loss(float):\n    pass\n\n\nv = Loss(1)", "классов самой страницы"),
        ("# docs: limit nan\nprint(1)", "больше 0"),
        ("# docs: near -1\nprint(1)", "больше 0"),
        ("# docs: alt\nprint(1)", "неизвестная строка"),
        ("#docs: naer 1\nprint(1)", "неизвестная строка"),
    ],
)
def test_bad_block(project, code, message):
    use_code(project, code + "\n")
    fails(project, "docs/lesson.md:3", message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# --8<-- [end:second]\n", "", ["snippets/lesson/code.py:9", "не закрыт"]),
        ("[end:first]", "[end:frist]", ["snippets/lesson/code.py:7", "«frist» закрыт, но не открыт"]),
        (":second]", ":first]", ["snippets/lesson/code.py:9", "уже есть"]),
    ],
)
def test_bad_sections(project, old, new, message):
    project.replace("snippets/lesson/code.py", old, new)
    fails(project, *message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("> " + FENCE.replace("\n", "\n> "), "docs/lesson.md:3: ограждение в цитате"),
        ("- " + FENCE.replace("\n", "\n  "), "docs/lesson.md:3: ограждение в цитате"),
        (FENCE.replace(":first", ":3:6"), "docs/lesson.md:3: блок страницы — это ровно одна строка"),
        (FENCE.replace("/code.py:first", ""), "docs/lesson.md:3: нет такого фрагмента"),
        ("$\\frac{1}$\n", "docs/lesson.md:3: формула «\\frac{1}» записана с ошибкой: Expected argument"),
    ],
)
def test_bad_page(project, text, message):
    project.write("docs/lesson.md", f"# Урок\n\n{text}")
    fails(project, message)


@pytest.mark.parametrize("name", ["docs/lesson.md", "snippets/lesson/code.py"])
def test_file_not_in_utf8(project, name):
    (project.root / name).write_bytes("# привет".encode("cp1251"))
    fails(project, "docs/lesson.md", "UTF-8")


@pytest.mark.parametrize(
    "text",
    [
        "# Урок\n\n" + FENCE.replace("\n", "  \n"),
        "# Урок\n\n```text\nтекст\n`````\n\n" + FENCE,
        "# Урок\n\n- пункт\n\n\t" + FENCE.replace("\n", "\n\t").rstrip("\t"),
    ],
    ids=["trailing spaces", "longer closing fence", "tabs"],
)
def test_oddly_written_page_is_right(project, text):
    (project.root / "docs" / "lesson.md").write_bytes(text.encode())
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    assert project.output_blocks() == ["сумма 4"]
    assert ">Урок</h1>" in project.html() and "```" not in project.html()


def test_code_with_a_fence_inside_is_shown_whole(project):
    use_code(project, 'text = """\n```\n"""\nprint("конец")\n')
    assert project.build("--strict")[0] == 0
    assert project.output_blocks() == ["конец"]


def test_figures_of_a_page_in_a_subfolder(project):
    use_code(project, "# docs: alt Матрица ] a_b_c\nimport matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()\n")
    (project.root / "docs" / "part").mkdir()
    shutil.move(project.root / "docs" / "lesson.md", project.root / "docs" / "part" / "мой урок.md")
    project.replace("mkdocs.yml", "lesson.md]", "part/мой урок.md]")
    project.write("docs/index.md", "# Главная\n")
    exit_code, log = project.build("--strict")
    assert exit_code == 0, log
    html = project.html("part/мой урок/index.html")
    assert 'aria-label="Матрица ] a_b_c"' in html and "url(#part-мой_урок.1-1-" in html


def test_two_files_cannot_share_a_record(project):
    project.write("docs/a-b.md", "# Одна\n")
    project.write("docs/a/b.md", "# Другая\n")
    fails(project, "docs/a/b.md", "docs/a-b.md", "имя записи")


@pytest.mark.parametrize(
    ("text", "message"),
    [("import os\n" + LAB, "каждая ячейка"), (LAB + "\n# %% [raw]\n# текст\n", "docs/labs/lab.py:7")],
)
def test_bad_lab(project, text, message):
    project.write("docs/labs/lab.py", text)
    fails(project, "docs/labs/lab.py", message)


@pytest.mark.parametrize("text", ["null", '"запись"', "5", "[]"])
def test_record_of_a_wrong_shape_counts_as_stale(project, text):
    project.write("outputs/lesson.json", text)
    exit_code, log = project.command("docs_build", "run")
    assert exit_code == 0, log
    assert "сумма 4" in (project.root / "outputs" / "lesson.json").read_text(encoding="utf-8")


def test_run_removes_what_deleted_pages_left_and_keeps_the_rest(project):
    project.write("outputs/gone.json", "{}")
    project.write("outputs/.lesson.json.half", "{")
    project.write("outputs/figures/gone.1-1.svg", "<svg/>")
    assert project.command("docs_build", "run")[0] == 0
    assert [path.name for path in (project.root / "outputs").rglob("*.*")] == ["lesson.json"]


def test_record_that_cannot_be_written(project):
    project.write("outputs", "здесь должна быть папка")
    exit_code, log = project.command("docs_build", "run")
    assert exit_code == 1
    assert "outputs/lesson.json: файл не записать" in log and "Traceback" not in log


@pytest.mark.parametrize("name", ["conftest.py", "snippets/lesson/code.py", "/etc/hostname"])
def test_run_of_what_is_not_a_page(project, name):
    exit_code, log = project.command("docs_build", "run", name)
    assert exit_code == 1
    assert f"{name}: такой страницы нет" in log and "Traceback" not in log


def test_two_runs_at_once_execute_once(project):
    logs = [process.communicate(timeout=60)[0] for process in [project.start("docs_build", "run") for _ in range(2)]]
    assert sum("lesson:" in log for log in logs) == 1
    assert json.loads((project.root / "outputs" / "lesson.json").read_text(encoding="utf-8"))["page"] == "lesson"


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C другому процессу так не послать")
def test_interrupted_run_stops_at_once(project):
    started = project.root / "started"
    use_code(project, f"import pathlib, time\n\npathlib.Path({str(started)!r}).touch()\ntime.sleep(50)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "docs_build", "run"], cwd=project.root, text=True, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Прервано" in errors and "Traceback" not in errors


def test_export_refuses_stale_outputs_and_the_pages_own_folder(project):
    assert "вывод устарел" in project.command("docs_build", "export", "plain")[1]
    assert not (project.root / "plain").exists()
    project.command("docs_build", "run")
    exit_code, log = project.command("docs_build", "export", "docs/copy")
    assert exit_code == 1 and "нужна папка вне docs/" in log


@pytest.fixture
def served(project):
    """Сервер над проектом и ожидание текста на странице урока."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = (project.root / "serve.log").open("w")
    command = [sys.executable, "-m", "mkdocs", "serve", "--livereload", "-a", address]
    process = subprocess.Popen(command, cwd=project.root, stdout=log, stderr=log)

    def wait_for(text: str) -> None:
        page, deadline = "", time.monotonic() + 30
        while text not in page and time.monotonic() < deadline:
            time.sleep(0.2)
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/lesson/", timeout=5) as answer:
                page = answer.read().decode()
        assert text in page, (project.root / "serve.log").read_text(encoding="utf-8")

    yield wait_for
    process.terminate()
    process.wait()
    log.close()


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("snippets/lesson/code.py", "[end:first]", "[end:frist]", "«frist» закрыт"),
        ("docs/lesson.md", "{{ total }}", "{{ totl }}", "нет значения «totl»"),
        ("docs/lesson.md", "$a^2$", "$\\frac{1}$", "записана с ошибкой"),
    ],
)
def test_server_shows_the_error_and_recovers(project, served, name, old, new, message):
    served("сумма 4")
    project.replace(name, old, new)
    served(message)
    project.replace(name, new, old)
    served("сумма 4")
