"""Половина REAL лабораторной о ResNet: CIFAR-10 в том виде, в каком он лежит на диске, и веса torchvision."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torchvision
from cells import run_cells

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SMALL = {"EPOCHS": 1, "STEPS": 2, "BATCH": 4, "SIDE": 32, "SIZES": [2, 3], "N_VALID": 20}


def record(label: int, index: int) -> np.ndarray:
    """Одна запись: класс, потом красный, зелёный и синий каналы; цвет картинки называет класс."""
    picture = np.zeros((3, 32, 32), np.uint8)
    picture[label % 3] = 25 * label
    picture[0, 0, 0] = index
    return np.concatenate([[label], picture.reshape(-1)]).astype(np.uint8)


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """Папка, какой её оставляет архив cifar-10-binary.tar.gz, но картинок в файле двадцать."""
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    (folder / "batches.meta.txt").write_text("\n".join([*NAMES, ""]))
    for number, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        records = [record(i % 10, number) for i in range(20)]
        (folder / name).write_bytes(np.concatenate(records).tobytes())
    return folder.parent


@pytest.fixture
def imagenet_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Файл весов ResNet-18 там, куда его кладёт torchvision; числа случайные."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    path = tmp_path / "torch" / "hub" / "checkpoints" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    return state


@pytest.fixture(autouse=True)
def quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))


def test_cifar_is_read_as_it_lies_on_disk(cifar: Path) -> None:
    space = run_cells("resnet-finetuning", until="def show", REAL=True, DATA=str(cifar), N_VALID=20)
    assert space["names"] == NAMES
    assert space["images"].shape == (100, 3, 32, 32) and space["test_x"].shape == (20, 3, 32, 32)
    for image, label in zip(space["test_x"], space["test_y"].tolist(), strict=True):
        assert image[label % 3, 5, 5] == 25 * label, "каналы перепутаны"
    assert sorted(space["images"][:, 0, 0, 0].tolist()) == sorted([0, 1, 2, 3, 4] * 20)


def test_torn_file_is_named(cifar: Path) -> None:
    path = cifar / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"test_batch\.bin"):
        run_cells("resnet-finetuning", until="def show", REAL=True, DATA=str(cifar))


def test_the_whole_lab_runs_on_cifar(cifar: Path, imagenet_weights: dict, capsys: pytest.CaptureFixture) -> None:
    space = run_cells("resnet-finetuning", REAL=True, DATA=str(cifar), **SMALL)
    runs = space["runs"]
    assert {(name, size) for name, size, _ in runs} == {
        ("верх", 3),
        *((name, size) for name in ("голова", "вся сеть", "с нуля", "MLP") for size in (2, 3)),
    }
    for net, free in ((runs["верх", 3, 0].net, ("layer4", "fc")), (space["body"], ("fc",))):
        state = net.state_dict()
        frozen = [name for name in imagenet_weights if not name.startswith(free)]
        assert all(torch.equal(state[name].cpu(), imagenet_weights[name]) for name in frozen), "заморозка протекает"
    assert abs(space["count"](space["mlp"]()) / space["count"](space["pretrained"]()) - 1) < 0.01
    assert space["again"].hf_extra["id2label"] == {str(i): name for i, name in enumerate(NAMES)}
    assert "ответы те же: True" in capsys.readouterr().out
