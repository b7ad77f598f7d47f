"""Команда train на коротком плане: готовая папка целиком или прежняя нетронутая."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from modern_nets import cli
from modern_nets.mlp import PictureMLP
from modern_nets.training import digits, recipes


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """tiny-mlp за десять шагов, измеренная одним числом; команда работает в пустой папке."""
    recipe = recipes.RECIPES["tiny-mlp"]
    plan = replace(recipe.plan, n_steps=10, save_every=4)
    quick = replace(recipe, build=partial(digits.build, "tiny-mlp"), plan=plan, measure=lambda *_: MEASURED)
    monkeypatch.setitem(recipes.RECIPES, "tiny-mlp", quick)
    monkeypatch.chdir(tmp_path)
    return tmp_path


MEASURED = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100}}


def test_training_writes_a_folder_that_loads(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "tiny-mlp"]) == 0
    assert "Готово: models/tiny-mlp" in capsys.readouterr().out
    PictureMLP.from_pretrained("models/tiny-mlp")
    readme = (short / "models/tiny-mlp/README.md").read_text(encoding="utf-8")
    assert "50,0 % (40,0 %–60,0 %; примеров 100)" in readme
    assert [path.name for path in (short / "models").iterdir()] == ["tiny-mlp"]


def test_existing_folder_is_not_overwritten_unasked(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (short / "models/tiny-mlp").mkdir(parents=True)
    (short / "models/tiny-mlp/mine.txt").write_text("моё", encoding="utf-8")
    assert cli.main(["train", "tiny-mlp"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (short / "models/tiny-mlp/mine.txt").exists()
    assert cli.main(["train", "tiny-mlp", "--overwrite"]) == 0
    assert not (short / "models/tiny-mlp/mine.txt").exists()


def test_model_that_cannot_be_put_in_place_is_not_lost(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "tiny-mlp"]) == 0
    before = (short / "models/tiny-mlp/model.safetensors").read_bytes()

    def broken(*_: object) -> None:
        raise ValueError("измерить не вышло")

    monkeypatch.setitem(recipes.RECIPES, "tiny-mlp", replace(recipes.RECIPES["tiny-mlp"], measure=broken))
    assert cli.main(["train", "tiny-mlp", "--overwrite"]) == 1
    assert (short / "models/tiny-mlp/model.safetensors").read_bytes() == before
    assert (short / ".cache/training/tiny-mlp/checkpoint.safetensors").exists()


def test_interrupted_training_continues_and_leaves_no_half_model(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "tiny-mlp", "--out", "whole"]) == 0
    jitter, calls = digits.jitter, 0

    def interrupting(images):
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return jitter(images)

    monkeypatch.setattr(digits, "jitter", interrupting)
    assert cli.main(["train", "tiny-mlp", "--out", "resumed"]) == 130
    assert "продолжит с последнего чекпоинта" in capsys.readouterr().err
    assert list((short / "resumed").iterdir()) == []
    assert cli.main(["train", "tiny-mlp", "--out", "resumed"]) == 0
    assert calls == 7 + 6, "продолжение начато не с четвёртого шага"
    whole, resumed = (Path(out, "tiny-mlp/model.safetensors").read_bytes() for out in ("whole", "resumed"))
    assert whole == resumed
