"""Команда predict: таблица ответов, испорченное названо и пропущено."""

import csv
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modern_nets import at_hand, cli
from tests.finetune.conftest import make_pictures, make_table


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*words: object, code: int = 0) -> str:
        capsys.readouterr()
        result = cli.main(["predict", *map(str, words), "--device", "cpu"])
        printed = capsys.readouterr()
        assert result == code, printed.out + printed.err
        return printed.out + printed.err

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Три обученные модели: на картинках, текстах и коде."""
    folder = tmp_path_factory.mktemp("модели")
    make_pictures(folder / "картинки")
    make_table(folder / "тексты.csv", header=("отзыв", "label"))
    (folder / "код.txt").write_text("мама мыла раму\n" * 60, encoding="utf-8")
    asked = {
        "resnet": ("--data", folder / "картинки", "--model", "tiny-resnet-five", "--epochs", 12),
        "bert": ("--data", folder / "тексты.csv", "--model", "tiny-bert-ru", "--text-column", "отзыв", "--epochs", 8),
        "gpt": ("--data", folder / "код.txt", "--model", "tiny-gpt-ru", "--epochs", 15, "--learning-rate", 3e-3),
    }
    for name, words in asked.items():
        command = ["finetune", name, "--device", "cpu", "--out", folder / name, *words]
        assert cli.main(list(map(str, command))) == 0
    return folder


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_pictures(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    fresh = make_pictures(tmp_path / "новые", n=10, seed=9)
    (fresh / "крест" / "битая.jpg").write_bytes(b"\xff\xd8 ")
    out = tmp_path / "ответы.csv"
    said = ask(trained / "resnet", fresh, tmp_path / "нет.png", "--out", out)
    assert "битая.jpg — " in said and "нет.png не найден" in said and "Ответов — 20, пропущено — 2" in said
    rows = table_of(out)
    right = sum(row["класс"] == Path(row["файл"]).parent.name for row in rows)
    assert right >= 15, f"узнано {right} из 20"
    for row in rows:
        assert {row["класс"], row["второй"]} == {"крест", "квадрат"}
        assert float(row["вероятность"]) + float(row["его вероятность"]) == pytest.approx(1, abs=2e-4)


def test_classifier_reads_as_many_tokens_as_it_was_trained_on(
    ask: Callable[..., str], tmp_path: Path, table: Path
) -> None:
    """Училась на началах — по началам и отвечает: хвоста она не видела."""
    out = tmp_path / "обучение"
    asked = ["--data", table, "--model", "tiny-bert-ru", "--max-tokens", 5, "--epochs", 1, "--out", out]
    assert cli.main(["finetune", "bert", "--device", "cpu", *map(str, asked)]) == 0
    lines = ["хорошо", "хорошо" + " скучно" * 5]
    (tmp_path / "новые.csv").write_text("\n".join(["text", *lines]), encoding="utf-8")
    ask(out, tmp_path / "новые.csv", "--out", tmp_path / "ответы.csv")
    first, second = (row["вероятность"] for row in table_of(tmp_path / "ответы.csv"))
    assert first == second
    from transformers import AutoTokenizer

    assert AutoTokenizer.from_pretrained(out / "best").model_max_length == 5


def test_extra_comma_is_named_and_not_cut_off(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "новые.csv"
    path.write_text("отзыв\nмило\nсломался сразу, ужас\n", encoding="utf-8")
    said = ask(trained / "bert", path)
    assert "строка 3 — клеток 2, а столбцов 1" in said and "в кавычки" in said and "пропущено — 1" in said


def test_place_of_the_table_is_checked_before_answering(
    trained: Path, ask: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("modern_nets.finetune.predict.TemporaryFile", read_only)
    said = ask(trained / "bert", tmp_path / "нет.txt", "--out", tmp_path / "ответы.csv", code=1)
    assert "не записать" in said and "нет.txt" not in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": {"shortest_edge": 8}, "image_mean": [0.5], "image_std": [0.5]}, None),
        ({"size": 8, "do_normalize": False}, None),
        ({"size": 8, "image_mean": [0.5]}, "image_std"),
        ([], "нужны size, image_mean и image_std"),
    ],
    ids=str,
)
def test_settings_of_pictures_as_they_are_written(
    trained: Path, ask: Callable[..., str], tmp_path: Path, settings: object, said: str | None
) -> None:
    folder = shutil.copytree(at_hand("tiny-resnet"), tmp_path / "модель")
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    picture = next((trained / "картинки" / "крест").iterdir())
    assert (said or "Ответов — 1") in ask(folder, picture, code=1 if said else 0)


def test_name_that_is_not_utf8_does_not_lose_the_table(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    source = next((trained / "картинки" / "крест").iterdir())
    try:
        picture = shutil.copy(source, os.fsencode(tmp_path) + b"/\xff.png")
    except OSError:
        pytest.skip("эта файловая система других имён не хранит")
    ask(trained / "resnet", os.fsdecode(picture), "--out", tmp_path / "ответы.csv")
    assert table_of(tmp_path / "ответы.csv")[0]["файл"].endswith("\\udcff.png")


def test_texts(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "новые.csv"
    path.write_text("id,отзыв\n1,хорошо и мило\n2,плохо и скучно\n3,\n", encoding="cp1251")
    (tmp_path / "один.txt").write_text("плохо", encoding="utf-8")
    out = tmp_path / "ответы.csv"
    said = ask(trained / "bert", path, tmp_path / "один.txt", "--out", out)
    assert "строка 4 — пустой текст" in said and "Ответов — 3, пропущено — 1" in said
    assert [(row["строка"], row["класс"]) for row in table_of(out)] == [("2", "да"), ("3", "нет"), ("", "нет")]
    alone = tmp_path / "наедине.csv"
    ask(trained / "bert", tmp_path / "один.txt", "--out", alone)
    assert table_of(alone)[0] == table_of(out)[2], "длинные соседи по пакету ответа не меняют"
    assert "нет столбца «нет»" in ask(trained / "bert", path, "--text-column", "нет", code=1)


def test_code_is_continued(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    start = tmp_path / "начало.txt"
    start.write_text("мама мы\n", encoding="utf-8")
    assert "ла раму" in ask(trained / "gpt", start, "--max-new-tokens", 10)
    start.write_text("мама мыла раму\n" * 50 + "мама мы", encoding="utf-8")
    assert "ла раму" in ask(trained / "gpt", start, "--max-new-tokens", 10), "от длинного начала берётся конец"
    assert "--max-new-tokens — от 1 до 31" in ask(trained / "gpt", start, "--max-new-tokens", 32, code=1)
    (tmp_path / "пусто.txt").write_text("", encoding="utf-8")
    assert "Ни одного ответа" in ask(trained / "gpt", tmp_path / "пусто.txt", code=1)


def test_nothing_is_overwritten(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    out = tmp_path / "моё.csv"
    out.write_text("моё", encoding="utf-8")
    assert "уже есть" in ask(trained / "resnet", trained / "картинки", "--out", out, code=1)
    assert out.read_text(encoding="utf-8") == "моё"


def test_nothing_predicted_writes_no_table(trained: Path, ask: Callable[..., str], tmp_path: Path) -> None:
    out, empty = tmp_path / "ответы.csv", tmp_path / "пусто"
    empty.mkdir()
    said = ask(trained / "resnet", empty, tmp_path / "нет.png", "--out", out, code=1)
    assert "в папке нет файлов" in said and "Ни одного ответа" in said and not out.exists()


def test_folder_without_a_model(ask: Callable[..., str], tmp_path: Path) -> None:
    assert "Папки" in ask(tmp_path / "нет", tmp_path / "x.png", code=1)
    assert "нет config.json" in ask(tmp_path, tmp_path / "x.png", code=1)
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    assert "нет обученной модели" in ask(tmp_path, tmp_path / "x.png", code=1)


def test_model_folder_works_as_well_as_a_run(ask: Callable[..., str], tmp_path: Path) -> None:
    from modern_nets import at_hand

    made = make_pictures(tmp_path / "к", n=1, kinds=("крест",))
    assert "Ответов — 1" in ask(at_hand("tiny-vit"), made / "крест" / "00.png")
