"""Маленькие данные в настоящем виде и команда, которая на них учит."""

import csv
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from modern_nets import cli

SIDE = 16


def picture(kind: str, chance: random.Random) -> Image.Image:
    """Светлая фигура на тёмном: класс виден по форме."""
    image = Image.new("RGB", (SIDE + 4, SIDE), tuple(chance.randrange(60) for _ in range(3)))
    pen, x, y = ImageDraw.Draw(image), chance.randrange(1, 6), chance.randrange(1, 4)
    ink = tuple(chance.randrange(160, 255) for _ in range(3))
    if kind == "крест":
        pen.line((x, y, x + 10, y + 10), ink, 2)
        pen.line((x + 10, y, x, y + 10), ink, 2)
    else:
        pen.rectangle((x, y, x + 10, y + 10), outline=ink, width=2)
    return image


def make_pictures(folder: Path, n: int = 12, kinds: tuple[str, ...] = ("квадрат", "крест"), seed: int = 0) -> Path:
    chance = random.Random(seed)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for i in range(n):
            picture(kind, chance).save(folder / kind / f"{i:02}.png")
    return folder


def make_table(path: Path, n: int = 12, encoding: str = "utf-8", header: tuple[str, str] = ("text", "label")) -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for i in range(n):
            writer.writerow([f"хорошо, {'очень ' * (i % 3)}мило {i}", "да"])
            writer.writerow([f"плохо, {'очень ' * (i % 3)}скучно {i}", "нет"])
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Как в запущенных отдельно процессах: от числа потоков зависят последние биты."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "картинки")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return make_table(tmp_path / "тексты.csv")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Команда finetune на процессоре; возвращает то, что она напечатала, и проверяет код выхода."""

    def call(architecture: str, *words: object, out: str = "обучение", code: int = 0) -> str:
        command = ["finetune", architecture, "--device", "cpu", "--out", str(tmp_path / out)]
        if architecture in ("resnet", "vit"):
            command += ["--workers", "0"]
        capsys.readouterr()
        result = cli.main([*command, *map(str, words)])
        printed = capsys.readouterr()
        assert result == code, printed.out + printed.err
        return printed.err if code else printed.out

    return call


def metrics(folder: Path) -> list[dict[str, float]]:
    """Строки metrics.csv без времени: оно у каждого запуска своё."""
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
