"""tiny-vit, tiny-resnet и tiny-mlp: три сети близкого размера на рукописных цифрах.

Ещё две, tiny-resnet-five и tiny-vit-five, видели только цифры от 0 до 4: они — начало для опытов с дообучением.

Данные — 1797 сканов 8 × 8 из scikit-learn (набор Optical Recognition of Handwritten Digits, репозиторий UCI,
лицензия CC BY 4.0).
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets.mlp import PictureMLP, PictureMLPConfig
from modern_nets.resnet import ResNet, ResNetConfig
from modern_nets.training.loop import History, Plan, train
from modern_nets.training.measures import seeds, share
from modern_nets.training.processes import Batch
from modern_nets.training.shelf import save_model, write_json
from modern_nets.vit import ViT, ViTConfig

N_TRAIN, N_IMAGES = 1000, 64
KNOWN_DIGITS, NEW_DIGITS = range(5), range(5, 10)
PLAN = Plan(n_steps=1500, learning_rate=3e-3, weight_decay=0.05, save_every=500)
VIT_PLAN = Plan(n_steps=4000, learning_rate=3e-3, weight_decay=0.05, save_every=500)
PLANS = {
    "tiny-vit": VIT_PLAN,
    "tiny-resnet": PLAN,
    "tiny-resnet-five": PLAN,
    "tiny-vit-five": VIT_PLAN,
    "tiny-mlp": Plan(n_steps=4000, learning_rate=3e-3, weight_decay=0.05, save_every=2000),
}
RESNET = ResNetConfig(depths=(2, 2), widths=(20, 40), stem_width=20, stem="small", n_channels=1, n_classes=10)
VIT = ViTConfig(image_size=8, patch_size=2, n_channels=1, d_model=48, n_layers=4, n_heads=4, d_mlp=96, n_classes=10)
SHOTS = (1, 5, 10, 50)
FINE_TUNING = Plan(n_steps=300, learning_rate=3e-3, weight_decay=0.05)


def tiny_vit() -> ViT:
    """Необученный ViT; векторы позиций заметно различаются с самого начала: иначе тысячи картинок мало.

    Returns:
        Сеть с позициями, разыгранными с разбросом 0,3 вместо принятого 0,02.
    """
    model = ViT(VIT)
    nn.init.normal_(model.position_embedding, std=0.3)
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "tiny-vit": tiny_vit,
    "tiny-resnet": lambda: ResNet(RESNET),
    "tiny-mlp": lambda: PictureMLP(PictureMLPConfig()),
}


FIVE = {"tiny-resnet-five": "tiny-resnet", "tiny-vit-five": "tiny-vit"}
"""Сети, знающие пять цифр: имя → сеть той же формы."""


class Digits(NamedTuple):
    """Цифры: числа пикселей от −1 (фон) до 1 (чернила).

    Attributes:
        x_train: Обучающие картинки, форма (1000, 1, 8, 8).
        y_train: Их цифры.
        x_test: Проверочные картинки, форма (797, 1, 8, 8).
        y_test: Их цифры.
    """

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor

    def only(self, classes: range) -> "Digits":
        """Картинки некоторых цифр; номера классов — от нуля.

        Args:
            classes: Какие цифры оставить.

        Returns:
            Те же данные без остальных цифр.
        """
        train, test = ((y >= classes.start) & (y < classes.stop) for y in (self.y_train, self.y_test))
        y_train, y_test = self.y_train[train] - classes.start, self.y_test[test] - classes.start
        return Digits(self.x_train[train], y_train, self.x_test[test], y_test)


def load_digits() -> Digits:
    """Читает цифры из scikit-learn и делит их: 1000 учат, 797 проверяют.

    Returns:
        Обучающие и проверочные картинки.
    """
    from sklearn import datasets

    digits = datasets.load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    return Digits(x[:N_TRAIN], y[:N_TRAIN], x[N_TRAIN:], y[N_TRAIN:])


def jitter(images: Tensor) -> Tensor:
    """Случайно поворачивает, растягивает и сдвигает каждую картинку.

    Args:
        images: Картинки, форма (B, C, H, W), фон — −1.

    Returns:
        Искажённые картинки той же формы.
    """
    n = len(images)
    angle = (torch.rand(n) - 0.5) * math.radians(30)
    scale = 1 + (torch.rand(n) - 0.5) * 0.3
    shift = (torch.rand(n, 2) - 0.5) * 0.5  # до одного пикселя из восьми: координаты идут от −1 до 1
    cos, sin = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1).reshape(n, 2, 3)
    grid = F.affine_grid(matrix.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1  # за краем — фон


def fit(model: Any, x: Tensor, y: Tensor, plan: Plan, run_folder: Path, device: torch.device, title: str) -> History:
    """Обучает сеть на картинках с искажениями.

    Args:
        model: Сеть.
        x: Картинки, форма (N, 1, 8, 8).
        y: Номера классов, форма (N,).
        plan: Сколько и как учить.
        run_folder: Где держать чекпоинт.
        device: На чём учить.
        title: Подпись полосы хода.

    Returns:
        Потери и время шага.
    """

    def draw(step: int) -> Batch:
        chosen = torch.randint(len(x), (N_IMAGES,))
        return jitter(x[chosen]), y[chosen]

    def loss_of(model: Any, images: Tensor, answers: Tensor) -> Tensor:
        return F.cross_entropy(model(images).logits, answers)

    return train(model.to(device), draw, loss_of, plan, run_folder, title=title)


def make(name: str, seed: int) -> Any:
    """Новая сеть со случайными весами.

    Args:
        name: Имя модели.
        seed: Зерно начальных весов.

    Returns:
        Сеть.
    """
    torch.manual_seed(seed)
    return MODELS[name]()


def build(name: str, folder: Path, run_folder: Path, device: torch.device, plan: Plan) -> History:
    """Обучает одну из сетей и кладёт её в папку.

    Args:
        name: Имя модели из `PLANS`.
        folder: Куда положить готовую модель.
        run_folder: Где держать чекпоинт.
        device: На чём учить.
        plan: Сколько и как учить.

    Returns:
        Потери и время шага.
    """
    data, classes = load_digits(), range(10)
    if name in FIVE:
        data, classes = data.only(KNOWN_DIGITS), KNOWN_DIGITS
        model = make(FIVE[name], plan.seed).new_head(len(classes))
    else:
        model = make(name, plan.seed)
    history = fit(model, data.x_train, data.y_train, plan, run_folder, device, name)
    labels = {str(i): str(digit) for i, digit in enumerate(classes)}
    about = {} if name == "tiny-mlp" else {"id2label": labels, "label2id": {v: int(k) for k, v in labels.items()}}
    save_model(model, folder, **about)
    side = {"height": VIT.image_size, "width": VIT.image_size}
    normalized = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    processor = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": side, **normalized}
    write_json(processor | {"image_mean": [0.5], "image_std": [0.5]}, folder / "preprocessor_config.json")
    return history


@torch.no_grad()
def n_right(model: Any, x: Tensor, y: Tensor) -> int:
    """Сколько картинок узнано.

    Args:
        model: Сеть в режиме eval.
        x: Картинки.
        y: Номера классов.

    Returns:
        Число верных ответов.
    """
    device = next(model.parameters()).device
    return int((model(x.to(device)).logits.argmax(dim=1).cpu() == y).sum())


def measure(name: str, folder: Path, run_folder: Path, device: torch.device) -> dict[str, Any]:
    """Точность готовой сети и пяти обучений с разных зёрен.

    Args:
        name: Имя модели.
        folder: Папка модели.
        run_folder: Не нужна: обучения короткие.
        device: На чём считать.

    Returns:
        Точность на 797 картинках и по зёрнам; у сетей, знающих пять цифр, — таблица переноса.
    """
    data = load_digits()
    if name in FIVE:
        known = data.only(KNOWN_DIGITS)
        shipped = type(make(FIVE[name], 0)).from_pretrained(folder).to(device)
        accuracy = share(n_right(shipped, known.x_test, known.y_test), len(known.y_test))
        return {"accuracy": accuracy, "transfer": transfer(name, folder, data.only(NEW_DIGITS), device)}
    model = type(make(name, 0)).from_pretrained(folder).to(device)
    runs = []
    for seed in range(5):
        fresh = make(name, seed)
        seeded = replace(PLANS[name], seed=seed)
        with TemporaryDirectory() as spare:
            fit(fresh, data.x_train, data.y_train, seeded, Path(spare), device, f"{name}, зерно {seed}")
        runs.append(n_right(fresh, data.x_test, data.y_test) / len(data.y_test))
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "accuracy": share(n_right(model, data.x_test, data.y_test), len(data.y_test)),
        "five_seeds": seeds(runs),
    }


def transfer(name: str, folder: Path, data: Digits, device: torch.device) -> dict[str, Any]:
    """Дообучает сеть, знающую пять цифр, на пяти других и сравнивает с такой же сетью без прошлого.

    Args:
        name: Имя модели.
        folder: Папка сети, обученной на первых пяти цифрах.
        data: Картинки новых цифр.
        device: На чём считать.

    Returns:
        Число примеров на цифру → точность дообученной и новой сети, пять наборов примеров.
    """
    table, family = {}, type(make(FIVE[name], 0))
    for shots in SHOTS:
        scores: dict[str, list[float]] = {"pretrained": [], "scratch": []}
        for seed in range(5):
            order = torch.randperm(len(data.y_train), generator=torch.Generator().manual_seed(seed))
            chosen = torch.cat([order[data.y_train[order] == digit][:shots] for digit in range(5)])
            torch.manual_seed(seed)
            starts = {
                "pretrained": family.from_pretrained(folder).new_head(5),
                "scratch": make(FIVE[name], seed).new_head(5),
            }
            for kind, model in starts.items():
                plan = replace(FINE_TUNING, seed=seed)
                x, y = data.x_train[chosen], data.y_train[chosen]
                with TemporaryDirectory() as spare:
                    fit(model, x, y, plan, Path(spare), device, f"{kind}, {shots} на цифру")
                scores[kind].append(n_right(model, data.x_test, data.y_test) / len(data.y_test))
        gains = [p - s for p, s in zip(scores["pretrained"], scores["scratch"], strict=True)]  # на одних примерах
        table[str(shots)] = {kind: seeds(values) for kind, values in scores.items()} | {"gain": seeds(gains)}
    return table
