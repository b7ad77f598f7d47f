"""Пары «наша модель — образец»: те же веса, те же входы.

Наша модель строится со случайными весами и записывается в папку; образец читает эту же папку. Сеть не нужна.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modern_nets.bert import Bert, BertConfig, BertForMaskedLM
from modern_nets.checkpoints import Pretrained
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.resnet import PRESETS as RESNETS
from modern_nets.resnet import ResNet
from modern_nets.vit import ViT, ViTConfig

OURS, REFERENCE = "ours", "reference"  # две стороны пары
FORWARD, STEP = "forward", "step"  # две работы: проход и шаг обучения
TASK_TITLES = {FORWARD: "проход", STEP: "шаг обучения"}
TORCHVISION_WEIGHTS = "torchvision.safetensors"


@dataclass(frozen=True)
class Case:
    """Пара моделей и вход для них.

    Attributes:
        title: Название строки таблицы.
        build: Строит нашу модель со случайными весами.
        load_reference: Загружает образец из папки, в которую записана наша модель.
        inputs: Входы под именами аргументов, одинаковыми у нашей модели и у образца.
        labels: Ответы для шага обучения.
        tasks: Какие работы мерить.
        needs: Модуль Python, без которого образца нет.
        same_weights: У образца те же веса; иначе сравнивать выходы нельзя.
    """

    title: str
    build: Callable[[], Pretrained]
    load_reference: Callable[[Path], nn.Module]
    inputs: dict[str, Tensor]
    labels: dict[str, Tensor] = field(default_factory=dict)
    tasks: tuple[str, ...] = (FORWARD, STEP)
    needs: str = "transformers"
    same_weights: bool = True

    @property
    def is_available(self) -> bool:
        """Установлена ли библиотека образца."""
        return find_spec(self.needs) is not None

    def save(self, folder: Path) -> None:
        """Записывает нашу модель со случайными весами, одними и теми же в каждом запуске."""
        torch.manual_seed(0)
        model = self.build()
        model.save_pretrained(folder)
        if self.needs == "torchvision":
            save_file(model.state_dict(), folder / TORCHVISION_WEIGHTS)

    def load(self, side: str, folder: Path) -> nn.Module:
        """Загружает нашу модель или образец в режиме eval."""
        if side == REFERENCE:
            return self.load_reference(folder).eval()
        model_class = getattr(self.build, "func", self.build)
        return model_class.from_pretrained(folder)

    def work(self, task: str, model: nn.Module) -> Callable[[], Any]:
        """Проход без градиентов или шаг обучения: проход, потери, градиенты, шаг SGD.

        SGD, а не AdamW: у него нет своей памяти и почти нет своего времени, и разницу моделей он не заслоняет.
        """
        if task == FORWARD:
            return partial(forward, model.eval(), self.inputs)
        model.train()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        return partial(training_step, model, optimizer, self.inputs | self.labels)


def forward(model: nn.Module, inputs: dict[str, Tensor]) -> Any:
    """Проход без градиентов."""
    with torch.no_grad():
        return model(**inputs)


def training_step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: dict[str, Tensor]) -> Tensor:
    """Один шаг обучения; возвращает потери."""
    loss = model(**inputs).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def main_output(output: Any) -> Tensor:
    """Логиты, а у модели без головы — последние токены: по ним сравниваются выходы."""
    logits = getattr(output, "logits", None)
    return output.last_hidden_state if logits is None else logits


def check_equal(case: Case, ours: nn.Module, reference: nn.Module) -> None:
    """Проверяет, что пара считает одно и то же: выходы и, если есть ответы, потери.

    Raises:
        AssertionError: выходы разошлись, и сравнивать время нечестно.
    """
    outputs = [forward(model, case.inputs | case.labels) for model in (ours, reference)]
    torch.testing.assert_close(*map(main_output, outputs), atol=1e-3, rtol=1e-3)
    if case.labels:
        torch.testing.assert_close(outputs[0].loss, outputs[1].loss, atol=1e-4, rtol=1e-4)


def cases(*, tiny: bool = False) -> dict[str, Case]:
    """Все пары под именами для `--only`.

    Args:
        tiny: Те же пары крошечными: чтобы проверить сам замер.
    """
    generator = torch.Generator().manual_seed(0)
    text = {"d_model": 32, "n_layers": 2, "n_heads": 2, "d_mlp": 64, "vocab_size": 100} if tiny else {}
    picture = {"d_model": 32, "n_layers": 2, "n_heads": 2, "d_mlp": 64, "image_size": 32} if tiny else {}
    n_texts, n_tokens, n_pictures = (2, 16, 2) if tiny else (8, 128, 8)
    bert, gpt2, vit = BertConfig(**text), GPT2Config(**text), ViTConfig(**picture)
    resnet = replace(RESNETS["resnet50"], depths=(1, 1, 1, 1)) if tiny else RESNETS["resnet50"]

    def ids(vocab_size: int, *shape: int) -> Tensor:
        return torch.randint(1, vocab_size, shape, generator=generator)

    bert_ids = {"input_ids": ids(bert.vocab_size, n_texts, n_tokens)}
    bert_answers = {"labels": ids(bert.vocab_size, n_texts, n_tokens)}
    lengths = torch.arange(1, n_texts + 1) * n_tokens // n_texts  # от самого короткого текста до полного
    padding = {"attention_mask": (torch.arange(n_tokens) < lengths[:, None]).long()}
    gpt2_ids = {"input_ids": ids(gpt2.vocab_size, n_texts // 2, 2 * n_tokens)}
    side = vit.image_size
    pictures = {"pixel_values": torch.randn(n_pictures, 3, side, side, generator=generator)}
    classes = {"labels": ids(1000, n_pictures)}
    bert_size, vit_size = "BERT-base 8×128", "ViT-B/16 пакет 8"
    build_bert, build_vit = partial(Bert, bert), partial(ViT, vit)
    return {
        "bert": Case(bert_size, build_bert, partial(transformers, "BertModel"), bert_ids, tasks=(FORWARD,)),
        "bert-padded": Case(
            f"{bert_size} с дополнением",
            build_bert,
            partial(transformers, "BertModel"),
            bert_ids | padding,
            tasks=(FORWARD,),
        ),
        "bert-mlm": Case(
            f"{bert_size} с логитами",
            partial(BertForMaskedLM, bert),
            partial(transformers, "BertForMaskedLM"),
            bert_ids,
            bert_answers,
            tasks=(STEP,),
        ),
        "gpt2": Case(
            "GPT-2 small 4×256",
            partial(GPT2, gpt2),
            partial(transformers, "GPT2LMHeadModel", use_cache=False),
            gpt2_ids,
            {"labels": gpt2_ids["input_ids"]},
        ),
        "vit": Case(
            vit_size,
            build_vit,
            partial(transformers, "ViTForImageClassification", num_labels=vit.n_classes),
            pictures,
            classes,
        ),
        "resnet50": Case(
            "ResNet-50 пакет 8", partial(ResNet, resnet), torchvision_resnet, pictures, classes, needs="torchvision"
        ),
        "vit-timm": Case(
            f"{vit_size} / timm",
            build_vit,
            lambda folder: timm_vit(vit),
            pictures,
            tasks=(FORWARD,),
            needs="timm",
            same_weights=False,
        ),
        "vit-pytorch": Case(
            f"{vit_size} / vit-pytorch",
            build_vit,
            lambda folder: vit_pytorch(vit),
            pictures,
            tasks=(FORWARD,),
            needs="vit_pytorch",
            same_weights=False,
        ),
    }


def transformers(class_name: str, folder: Path, **changes: Any) -> nn.Module:
    """Модель transformers из нашей папки.

    Args:
        class_name: Имя класса.
        folder: Папка, в которую записана наша модель.
        changes: Поля её настроек, которые надо заменить. GPT-2 без `use_cache=False` собирала бы и кэш,
            которого наша не собирает.
    """
    import transformers as library

    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return getattr(library, class_name).from_pretrained(folder, **changes)


class WithLoss(nn.Module):
    """Приводит модель, которая возвращает одни логиты, к общему виду: выход с полями logits и loss."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
        """Логиты и, если даны ответы, потери."""
        logits = self.net(pixel_values)
        return SimpleNamespace(logits=logits, loss=None if labels is None else F.cross_entropy(logits, labels))


def torchvision_resnet(folder: Path) -> nn.Module:
    """ResNet torchvision с весами нашей; сколько блоков на ступенях, видно по именам тензоров."""
    from torchvision.models.resnet import Bottleneck
    from torchvision.models.resnet import ResNet as Reference

    state = load_file(folder / TORCHVISION_WEIGHTS)
    depths = [len({name.split(".")[1] for name in state if name.startswith(f"layer{i}.")}) for i in range(1, 5)]
    net = Reference(Bottleneck, depths)
    net.load_state_dict(state)
    return WithLoss(net)


def timm_vit(config: ViTConfig) -> nn.Module:
    """ViT из timm тех же размеров, со своими весами."""
    import timm

    sizes = {"embed_dim": config.d_model, "depth": config.n_layers, "num_heads": config.n_heads}
    net = timm.create_model(
        "vit_base_patch16_224",
        pretrained=False,
        img_size=config.image_size,
        mlp_ratio=config.d_mlp / config.d_model,
        **sizes,
    )
    return WithLoss(net)


def vit_pytorch(config: ViTConfig) -> nn.Module:
    """ViT из vit-pytorch тех же размеров, со своими весами."""
    from vit_pytorch import ViT as Reference

    net = Reference(
        image_size=config.image_size,
        patch_size=config.patch_size,
        num_classes=config.n_classes,
        dim=config.d_model,
        depth=config.n_layers,
        heads=config.n_heads,
        mlp_dim=config.d_mlp,
        dim_head=config.d_model // config.n_heads,
    )
    return WithLoss(net)
