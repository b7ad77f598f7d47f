"""Два процесса учат так же, как один, и пишет на диск только один из них."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import accelerate
import pytest
import torch

from modern_nets.finetune.options import Options
from modern_nets.finetune.run import _errors_explained
from modern_nets.training.processes import accelerator_for, find_device, share_of
from tests.finetune.conftest import make_pictures, metrics
from tests.finetune.two_processes import uneven

ROOT = Path(__file__).resolve().parents[2]
VIT = ("--model", "tiny-vit", "--epochs", "2", "--batch-size", "7", "--seed", "5", "--save-every", "2")


SECOND = SimpleNamespace(num_processes=2, process_index=1, is_local_main_process=False)


class Two(NamedTuple):
    """Что осталось от запуска на двух процессах."""

    folder: Path
    pictures: Path
    printed: str
    errors: str
    loops: list[dict]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    folder = tmp_path_factory.mktemp("два процесса")
    pictures = make_pictures(folder / "картинки", n=13)
    for rank in range(2):
        make_pictures(folder / f"картинки {rank}", n=13, seed=rank)
    (folder / "занятая").mkdir()
    (folder / "занятая" / "чужое.txt").touch()
    words = ["finetune", "vit", "--data", pictures, *VIT, "--device", "cpu", "--out", folder / "обучение"]
    script = Path(__file__).with_name("two_processes.py")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        script,
        folder,
        *words,
    ]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return Two(
        folder, pictures, done.stdout, done.stderr, [json.loads((folder / f"{k}.json").read_text()) for k in range(2)]
    )


def test_command_on_two_processes_equals_the_command_on_one(two: Two, run: Callable[..., str], tmp_path: Path) -> None:
    run("vit", "--data", two.pictures, *VIT)
    alone, together = metrics(tmp_path / "обучение"), metrics(two.folder / "обучение")
    assert [row.pop("processes") for row in together] == [2.0, 2.0]
    assert [row.pop("processes") for row in alone] == [1.0, 1.0]
    for one, many in zip(alone, together, strict=True):
        assert many == pytest.approx(one, rel=1e-5)
    result = json.loads((two.folder / "обучение/result.json").read_text(encoding="utf-8"))
    assert result["num_processes"] == 2
    assert two.printed.count("Процессов: 2.") == 2, "по разу у каждой команды: говорит только главный процесс"


def test_refusal_reaches_every_process_and_is_said_once(two: Two) -> None:
    """Иначе второй процесс ждал бы первого вечно."""
    assert [process["codes"] for process in two.loops] == [[1, 1, 0, 0]] * 2
    assert two.errors.count("занятая не пуста") == 1
    assert two.errors.count("Данные у процессов разные") == 1
    assert [path.name for path in (two.folder / "занятая").iterdir()] == ["чужое.txt"]
    assert not (two.folder / "разное").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("Connection closed by peer [127.0.0.1]"), "связь с другим процессом оборвалась"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "Памяти не хватило"),
        (MemoryError(), "Памяти не хватило"),
    ],
)
def test_errors_of_the_machine_are_explained(error: Exception, said: str, tmp_path: Path) -> None:
    options = Options(architecture="resnet", data="digits", out=tmp_path)
    with pytest.raises(ValueError, match=said), _errors_explained(options, SECOND):
        raise error


def test_process_that_is_not_the_first_tells_its_own_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Главный о ней не знает: у него лишь оборвётся связь."""
    options = Options(architecture="resnet", data="digits", out=tmp_path)
    with pytest.raises(OSError, match=r"8\.png"), _errors_explained(options, SECOND):
        raise OSError("Файл 8.png не найден.")
    assert "Процесс 1: Файл 8.png не найден." in capsys.readouterr().err


def test_statistics_of_batch_norm_are_the_same_everywhere(two: Two) -> None:
    first, second = (process["statistics"] for process in two.loops)
    assert first == second and first


def test_loss_and_gradients_are_the_mean_over_all_answers(two: Two, tmp_path: Path) -> None:
    """Доли неравны, а ответов в них и вовсе по-разному: без весов разошлись бы уже первые потери."""
    alone = uneven(tmp_path)
    for process in two.loops:
        assert process["whole"] == pytest.approx(alone, rel=1e-6)


def test_dropout_of_every_process_is_its_own(two: Two) -> None:
    first, second = (process["seeds"] for process in two.loops)
    assert first == list(range(6)), "у главного — то же зерно, что в одиночку"
    assert len({*first, *second}) == 12


def test_second_machine_resumes_from_the_checkpoint_of_the_first(two: Two) -> None:
    first, second = two.loops
    assert first["resumed"] == first["whole"]
    assert second["resumed"] == second["whole"]
    assert first["written"] == ["прерванное/checkpoint.safetensors", "целое/checkpoint.safetensors"]
    assert second["written"] == [], "пишет только главный процесс"


class Place(NamedTuple):
    """То, что `share_of` спрашивает у Accelerate."""

    num_processes: int
    process_index: int


@pytest.mark.parametrize("n_processes", [1, 2, 3, 5])
def test_shares_are_the_batch_without_gaps_or_overlaps(n_processes: int) -> None:
    batch = (torch.arange(5), torch.arange(10).reshape(5, 2))
    shares = [share_of(batch, Place(n_processes, k)) for k in range(n_processes)]
    for part, whole in zip(zip(*shares, strict=True), batch, strict=True):
        assert torch.equal(torch.cat(part), whole)
    sizes = [len(first) for first, _ in shares]
    assert max(sizes) - min(sizes) <= 1


def test_more_processes_than_examples_is_refused() -> None:
    with pytest.raises(ValueError, match="примеров — 5, а процессов — 6"):
        share_of((torch.arange(5),), Place(6, 0))


def test_processes_that_did_not_meet_are_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Без cpu=True Accelerate на машине без видеокарт молча запустил бы каждый процесс сам по себе."""

    class Alone:
        distributed_type, num_processes = accelerate.DistributedType.NO, 1

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(accelerate, "Accelerator", lambda **_: Alone())
    with pytest.raises(ValueError, match="Запущено процессов — 2, а соединились 1"):
        accelerator_for(torch.device("cpu"))


def test_accelerate_launch_that_started_one_process_instead_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Такое окружение оставляет «accelerate launch --cpu --num_processes 2»."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with pytest.raises(ValueError, match=r"а запущен один.*torchrun --nproc_per_node"):
        accelerator_for(torch.device("cpu"))


def test_fewer_graphics_cards_than_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="Процессов на этой машине — 4, а видеокарт — 2"):
        accelerator_for(torch.device("cuda"))


def test_launch_for_sharded_models_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sharded:
        distributed_type, num_processes = accelerate.DistributedType.FSDP, 1

    monkeypatch.setattr(accelerate, "Accelerator", lambda **_: Sharded())
    with pytest.raises(ValueError, match=r"FSDP.*accelerate config"):
        accelerator_for(torch.device("cpu"))


@pytest.mark.parametrize("name", ["cuda", "тостер", "meta"])
def test_absent_device_is_named(name: str) -> None:
    if name == "cuda" and torch.cuda.is_available():
        pytest.skip("видеокарта есть")
    with pytest.raises(ValueError, match=f"Устройства «{name}» здесь нет.*Подойдёт cpu"):
        find_device(name)
    assert find_device("auto").type in ("cpu", "cuda", "mps")


def test_models_at_hand_are_trained_by_one_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from modern_nets import cli

    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["train", "tiny-mlp"]) == 1
    assert "одним процессом" in capsys.readouterr().err
