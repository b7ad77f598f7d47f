"""Половина REAL лабораторной о ViT: Oxford-IIIT Pet в том виде, в каком он лежит на диске, и папки моделей."""

from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch
from cells import run_cells
from PIL import Image

from modern_nets.resnet import ResNet, ResNetConfig
from modern_nets.vit import ViT, ViTConfig

BREEDS = ["Abyssinian", "american_bulldog", "Bengal"]  # с большой буквы пишут кошек
SMALL = {"EPOCHS": 1, "STEPS": 2, "BATCH": 4, "SIZES": [1, 2], "N_VALID": 6, "SHIFT": 2}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Папка, какой её оставляют архивы набора: images/ и annotations/; в конце списка — опись классов."""
    folder = tmp_path / "data" / "oxford-iiit-pet"
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for split, numbers in (("trainval", range(1, 7)), ("test", range(7, 10))):
        lines = []
        for number in numbers:
            for label, breed in enumerate(BREEDS, start=1):
                name, species = f"{breed}_{number}", 1 if breed[0].isupper() else 2
                lines.append(f"{name} {label} {species} {number}")
                size, color = (40 + number, 60), (80 * label, 10 * number, 0)
                Image.new("RGB", size, color).save(folder / "images" / f"{name}.jpg", quality=95)
        (folder / "annotations" / f"{split}.txt").write_text("\n".join([*lines, ""]))
    return folder.parent


@pytest.fixture
def models(tmp_path: Path) -> dict[str, str]:
    """Маленькие модели в официальном формате: папки Hugging Face."""
    torch.manual_seed(0)
    vit = ViT(ViTConfig(image_size=32, patch_size=16, d_model=16, n_layers=2, n_heads=2, d_mlp=32, n_classes=4))
    vit.save_pretrained(tmp_path / "vit")
    ResNet(ResNetConfig(depths=(1, 1), widths=(8, 16), stem_width=8, n_classes=4)).save_pretrained(tmp_path / "cnn")
    return {"VIT": str(tmp_path / "vit"), "SEER": str(tmp_path / "vit"), "CNN": str(tmp_path / "cnn")}


@pytest.fixture(autouse=True)
def quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))


def test_the_whole_lab_runs_on_pets(pets: Path, models: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    photo = pets.parent / "photo.png"
    Image.new("RGBA", (90, 50), (200, 100, 50, 128)).save(photo)
    space = run_cells("vit-pictures", REAL=True, DATA=str(pets), PHOTO=str(photo), **models, **SMALL)
    assert space["names"] == ["Abyssinian", "American Bulldog", "Bengal"]
    assert space["images"].shape == (18, 3, 32, 32) and space["test_x"].shape == (9, 3, 32, 32)
    for image, label in zip(space["test_x"], space["test_y"].tolist(), strict=True):
        assert abs(image[0, 16, 16].item() - 80 * (label + 1)) < 6, "снимки и породы перепутаны"
    assert {(name, size) for name, size, _ in space["runs"]} == {(n, s) for n in space["WAYS"] for s in (1, 2)}
    head, start = space["runs"]["ViT, голова", 2, 0].net.state_dict(), space["vit"]().state_dict()
    frozen = [name for name in start if not name.startswith("head")]
    assert all(torch.equal(head[name].cpu(), start[name]) for name in frozen), "заморозка протекает"
    assert "ответы те же: True" in capsys.readouterr().out


def test_without_a_video_card_the_head_alone_is_enough(pets: Path, models: dict[str, str]) -> None:
    def start() -> ViT:
        return ViT.from_pretrained(models["VIT"]).new_head(len(BREEDS))

    only = {"ViT, голова": SimpleNamespace(start=start, free=("head",), rate=1e-3)}
    space = run_cells("vit-pictures", REAL=True, DATA=str(pets), WAYS=only, **models, **SMALL)
    assert {name for name, _, _ in space["runs"]} == {"ViT, голова"}


def test_patches_are_cut_and_glued() -> None:
    space = run_cells("vit-pictures", until="framed")
    image = torch.arange(3 * 4 * 6).view(3, 4, 6)
    patches = space["cut"](image, 2)
    assert patches.shape == (6, 3, 2, 2) and torch.equal(patches[4], image[:, 2:4, 2:4])
    assert torch.equal(space["glue"](patches, 3), image)


def test_rollout_of_one_layer_is_half_its_attention() -> None:
    space = run_cells("vit-pictures", until="attention_maps(seer, shown)")
    config = ViTConfig(image_size=4, patch_size=2, n_channels=1, d_model=8, n_layers=1, n_heads=2, n_classes=2)
    net = ViT(config).to(space["device"])
    pictures = torch.randint(17, (3, 1, 4, 4), dtype=torch.uint8)
    last, rolled, _ = space["attention_maps"](net, pictures)
    assert last.shape == (3, 2, 2) and torch.allclose(rolled, last / 2)
