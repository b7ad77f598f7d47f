"""Прерванное обучение: теряется не больше одного промежутка, итог тот же, чужого не трогают."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from modern_nets.finetune import folder as run_folder
from modern_nets.finetune import run as run_module
from modern_nets.finetune.data import write_whole
from modern_nets.finetune.tasks import PictureTask
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.training import loop
from tests.finetune.conftest import make_pictures, metrics

ROOT = Path(__file__).resolve().parents[2]
ASKED = ("--model", "tiny-resnet-five", "--epochs", "3", "--batch-size", "8", "--save-every", "2", "--seed", "1")
"""Тринадцать картинок в классе, по 21 обучающей: три пакета в эпохе, девять шагов."""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "картинки", n=13)


def steps_made(monkeypatch: pytest.MonkeyPatch, *, stop_at: int | None = None) -> list[int]:
    """Список шагов, который пополняется по ходу; на названном шаге — Ctrl+C."""
    made: list[int] = []
    draw = PictureTask.draw

    def spy(self: PictureTask, step: int) -> tuple:
        if step == stop_at:
            raise KeyboardInterrupt
        made.append(step)
        return draw(self, step)

    monkeypatch.setattr(PictureTask, "draw", spy)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_killed_process_resumes_to_the_same_metrics(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("resnet", "--data", pictures, *ASKED, out="целое")
    words = ["resnet", "--data", pictures, *ASKED, "--device", "cpu", "--workers", "0", "--out", tmp_path / "убитое"]
    killer = (
        "import os, sys\nfrom modern_nets.finetune.tasks import PictureTask\nfrom modern_nets import cli\n"
        "draw = PictureTask.draw\n"
        "PictureTask.draw = lambda self, step: os._exit(9) if step == 7 else draw(self, step)\n"
        "cli.main(['finetune', *sys.argv[1:]])\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", killer, *map(str, words)], env=environment, capture_output=True)
    assert killed.returncode == 9, killed.stderr
    assert (tmp_path / "убитое/checkpoint.safetensors").is_file()
    made = steps_made(monkeypatch)
    run("resnet", "--data", pictures, *ASKED, "--resume", out="убитое")
    assert made == [6, 7, 8], "сделанное до последнего чекпоинта не повторяется"
    assert metrics(tmp_path / "убитое") == metrics(tmp_path / "целое")
    whole, resumed = (contents(tmp_path / name / "best") for name in ("целое", "убитое"))
    assert whole == resumed


def test_row_after_the_last_checkpoint_is_written_once(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Эпоха кончилась на шаге 3, чекпоинт был на шаге 2: после продолжения строка эпохи одна."""
    with monkeypatch.context() as patch:
        steps_made(patch, stop_at=3)
        assert "--resume" in run("resnet", "--data", pictures, *ASKED, code=130)
    assert [row["epoch"] for row in metrics(tmp_path / "обучение")] == [1]
    run("resnet", "--data", pictures, *ASKED, "--resume")
    assert [row["epoch"] for row in metrics(tmp_path / "обучение")] == [1, 2, 3]


def test_interrupted_before_the_first_checkpoint_starts_again(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steps_made(patch, stop_at=1)
        run("resnet", "--data", pictures, *ASKED, code=130)
    made = steps_made(monkeypatch)
    assert "Чекпоинта ещё нет" in run("resnet", "--data", pictures, *ASKED, "--resume")
    assert made == list(range(9))


def test_finished_run_is_not_repeated(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("resnet", "--data", pictures, *ASKED)
    before, made = contents(tmp_path / "обучение"), steps_made(monkeypatch)
    said = run("resnet", "--data", pictures, *ASKED, "--resume")
    assert "уже закончено" in said and "Лучшая эпоха" in said
    assert made == [] and contents(tmp_path / "обучение") == before


@pytest.fixture
def interrupted(run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as patch:
        steps_made(patch, stop_at=5)
        run("resnet", "--data", pictures, *ASKED, code=130)
    return tmp_path / "обучение"


def test_full_disk_leaves_the_previous_checkpoint(
    run: Callable[..., str], pictures: Path, interrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(interrupted)

    def full_disk(tensors: object, path: Path, metadata: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_file", full_disk)
        error = run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert "Чекпоинт не записался" in error and "Прежний, если был, цел" in error
    after = contents(interrupted)
    assert after["checkpoint.safetensors"] == before["checkpoint.safetensors"]
    assert not [name for name in after if "part" in name]
    run("resnet", "--data", pictures, *ASKED, "--resume")
    run("resnet", "--data", pictures, *ASKED, out="целое")
    assert metrics(interrupted) == metrics(tmp_path / "целое")


def test_half_a_checkpoint_left_by_a_kill_is_ignored(
    run: Callable[..., str], pictures: Path, interrupted: Path
) -> None:
    (interrupted / ".checkpoint.safetensors.part").write_bytes(b"half")
    (interrupted / ".metrics.csv.part").write_bytes(b"half")
    run("resnet", "--data", pictures, *ASKED, "--resume")
    assert [row["epoch"] for row in metrics(interrupted)] == [1, 2, 3]


def test_full_disk_does_not_leave_half_a_model(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full_disk(self: Path, data: bytes) -> int:
        if self.name == "preprocessor_config.json":
            assert not (tmp_path / "обучение" / "best").exists(), "и убитый в этот миг не оставил бы половины"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_disk)
        assert "модель не записалась" in run("resnet", "--data", pictures, *ASKED, code=1)
    assert not (tmp_path / "обучение" / "best").exists()
    assert [p.name for p in (tmp_path / "обучение").iterdir() if "best" in p.name] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--learning-rate", "0.5"), "learning_rate: было 0.003, просите 0.5"),
        (("--seed", "2"), "seed: было 1, просите 2"),
        (("--model", "tiny-vit"), None),
        (("--epochs", "4"), "epochs: было 3, просите 4"),
    ],
)
def test_folder_of_another_run_is_refused_and_untouched(
    run: Callable[..., str], pictures: Path, interrupted: Path, changed: tuple[str, ...], said: str | None
) -> None:
    before = contents(interrupted)
    if said is None:  # другая архитектура: читаются только серые 8 × 8, поэтому и модель другая
        error = run("vit", "--data", pictures, *ASKED, *changed, "--resume", code=1)
        assert "architecture: было" in error and '"vit"' in error
    else:
        assert said in run("resnet", "--data", pictures, *ASKED, *changed, "--resume", code=1)
    assert contents(interrupted) == before


def test_changed_data_is_noticed(run: Callable[..., str], pictures: Path, interrupted: Path) -> None:
    before = contents(interrupted)
    path = pictures / "крест" / "03.png"
    path.write_bytes((pictures / "квадрат" / "04.png").read_bytes())
    assert "data_digest: было" in run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert contents(interrupted) == before


def test_moved_data_and_folder_still_resume(
    run: Callable[..., str], pictures: Path, interrupted: Path, tmp_path: Path
) -> None:
    pictures.rename(tmp_path / "переехали")
    interrupted.rename(tmp_path / "и папка")
    run("resnet", "--data", tmp_path / "переехали", *ASKED, "--resume", out="и папка")
    assert (tmp_path / "и папка" / "result.json").is_file()


def test_occupied_folder_is_refused(run: Callable[..., str], pictures: Path, interrupted: Path, tmp_path: Path) -> None:
    before = contents(interrupted)
    assert "не пуста" in run("resnet", "--data", pictures, *ASKED, code=1)
    assert contents(interrupted) == before
    (tmp_path / "файл").write_text("моё", encoding="utf-8")
    assert "файл, а нужна папка" in run("resnet", "--data", pictures, *ASKED, out="файл", code=1)


def test_nothing_to_resume(run: Callable[..., str], pictures: Path, tmp_path: Path) -> None:
    assert "Продолжать нечего" in run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert not (tmp_path / "обучение").exists()


def test_broken_files_of_the_folder_are_named(run: Callable[..., str], pictures: Path, interrupted: Path) -> None:
    best = contents(interrupted / "best")
    (interrupted / "metrics.json").write_text("[{", encoding="utf-8")
    assert "metrics.json не читается" in run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    (interrupted / "metrics.json").unlink()
    assert "metrics.json не читается" in run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert contents(interrupted / "best") == best, "не зная, какая эпоха лучшая, лучшую модель не трогают"
    (interrupted / "run.json").write_text("{", encoding="utf-8")
    assert "run.json не читается" in run("resnet", "--data", pictures, *ASKED, "--resume", code=1)


def test_table_spoiled_by_a_spreadsheet_is_written_anew(
    run: Callable[..., str], pictures: Path, interrupted: Path, tmp_path: Path
) -> None:
    (interrupted / "metrics.csv").write_text("step;epoch\n3;1,0\n", encoding="cp1251")
    run("resnet", "--data", pictures, *ASKED, "--resume")
    run("resnet", "--data", pictures, *ASKED, out="целое")
    assert metrics(interrupted) == metrics(tmp_path / "целое")


def test_best_model_that_vanished_is_asked_for(run: Callable[..., str], pictures: Path, interrupted: Path) -> None:
    shutil.rmtree(interrupted / "best")
    error = run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert "нет файла model.safetensors" in error
    assert (interrupted / "checkpoint.safetensors").is_file()
    (interrupted / "metrics.json").unlink()
    error = run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert "нет metrics.json" in error and (interrupted / "checkpoint.safetensors").is_file()


def test_model_of_infinities_is_not_kept(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PictureTask, "evaluate", lambda *_: (float("nan"), 0.5))
    error = run("resnet", "--data", pictures, *ASKED, code=1)
    assert "потери на проверке — nan" in error and "в другой папке" in error
    assert not (tmp_path / "обучение/best").exists()


def test_two_runs_in_one_folder_do_not_mix(run: Callable[..., str], pictures: Path, interrupted: Path) -> None:
    before = contents(interrupted)
    with FileLock(interrupted / ".lock"):
        error = run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert "уже идёт другое обучение" in error
    assert contents(interrupted) == before
    run("resnet", "--data", pictures, *ASKED, "--resume")


def test_second_run_that_started_meanwhile_is_refused(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Пока первый читал данные, папку занял второй."""
    prepare = run_module.prepare

    def slow(*words: Any) -> Any:
        job = prepare(*words)
        (tmp_path / "обучение").mkdir()
        (tmp_path / "обучение/run.json").write_text("{}", encoding="utf-8")
        return job

    monkeypatch.setattr(run_module, "prepare", slow)
    assert "не пуста" in run("resnet", "--data", pictures, *ASKED, code=1)
    assert (tmp_path / "обучение/run.json").read_text(encoding="utf-8") == "{}"


def test_closed_output_does_not_stop_the_training(
    run: Callable[..., str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    with monkeypatch.context() as patch:
        patch.setattr("builtins.print", closed)
        assert run("resnet", "--data", pictures, *ASKED) == ""
    assert (tmp_path / "обучение/result.json").is_file()


def test_draft_left_by_a_kill_is_cleared(run: Callable[..., str], pictures: Path, interrupted: Path) -> None:
    (interrupted / ".best.part" / ".draft").mkdir(parents=True)
    (interrupted / ".best.part" / ".draft" / "model.safetensors").write_bytes(b"half")
    run("resnet", "--data", pictures, *ASKED, "--resume")
    assert sorted(p.name for p in interrupted.iterdir() if "part" in p.name) == []


def test_broken_result_says_where_the_model_is(run: Callable[..., str], pictures: Path, tmp_path: Path) -> None:
    run("resnet", "--data", pictures, *ASKED)
    (tmp_path / "обучение/result.json").write_text("{", encoding="utf-8")
    error = run("resnet", "--data", pictures, *ASKED, "--resume", code=1)
    assert "result.json не читается" in error and "best" in error


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"old")

    def half(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(OSError, match=r"metrics\.csv не записался"):
            write_whole(path, "new content")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_file_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Иначе после выключения вместо прежнего файла остался бы пустой."""
    order: list[str] = []
    flush, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda place: (order.append("fsync"), flush(place)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("replace"), replace(*names)))
    write_whole(tmp_path / "metrics.csv", "text")
    assert order == ["fsync", "replace"]
    order.clear()
    GPT2(GPT2Config(vocab_size=9, max_tokens=4, d_model=4, n_layers=1, n_heads=1)).save_pretrained(tmp_path / "model")
    assert order == ["fsync", "replace"] * 2


def test_best_model_is_the_best_and_not_the_last(tmp_path: Path) -> None:
    folder = run_folder.RunFolder(tmp_path)
    rows = [{"accuracy": a, "valid_loss": v} for a, v in ((0.5, 0.9), (0.8, 0.6), (0.8, 0.5), (0.7, 0.1))]
    best = [folder.better(row, rows[:i]) for i, row in enumerate(rows)]
    assert best == [True, True, True, False], "при равной точности решают потери"
    assert not folder.better({"perplexity": 1.6, "valid_loss": 0.5}, [{"perplexity": 1.5, "valid_loss": 0.4}])


def test_run_json_says_what_was_asked(interrupted: Path) -> None:
    asked = json.loads((interrupted / "run.json").read_text(encoding="utf-8"))
    assert asked["classes"] == ["квадрат", "крест"] and asked["batch_size"] == 8 and asked["learning_rate"] == 0.003
