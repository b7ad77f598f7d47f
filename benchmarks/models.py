"""Пары «наша модель — оригинал» для замеров: одни веса, один вход, один вызов.

Каждый случай строит по имени стороны («ours», «theirs» или соперник) функцию без аргументов: прямой проход,
шаг обучения или генерацию.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets.bert import Bert, BertConfig
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2, GPT2Config
from modern_nets.resnet import ResNet, resnet50
from modern_nets.vit import ViT, ViTConfig

Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """Одна пара.

    Attributes:
        title: Как назвать в таблице.
        save: Записывает в папку случайные веса.
        load: Сторона → функция, которая читает модель из папки.
        inputs: Вход модели; позиционные аргументы.
        target: Берёт из выхода тензор, по которому считается потеря.
    """

    title: str
    save: Callable[[Path], None]
    load: dict[str, Callable[[Path], nn.Module]]
    inputs: Callable[[], dict[str, Tensor]]
    target: Callable[[Any], Tensor]

    def model(self, side: str, folder: Path) -> nn.Module:
        """Модель этой стороны с весами из папки."""
        if not (folder / "config.json").exists():
            torch.manual_seed(0)
            self.save(folder)
        return self.load[side](folder)

    def forward(self, side: str, folder: Path) -> Call:
        """Прямой проход без градиентов."""
        model, inputs = self.model(side, folder).eval(), self.inputs()

        def call() -> Tensor:
            with torch.no_grad():
                return self.target(model(**inputs) if named(model) else model(*inputs.values()))

        return call

    def training_step(self, side: str, folder: Path) -> Call:
        """Прямой проход, потеря, градиенты, шаг SGD."""
        model, inputs = self.model(side, folder).train(), self.inputs()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

        def call() -> Tensor:
            output = self.target(model(**inputs) if named(model) else model(*inputs.values()))
            labels = torch.zeros(output.shape[:-1], dtype=torch.long)
            loss = F.cross_entropy(output.flatten(0, -2), labels.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return call


def named(model: nn.Module) -> bool:
    """Принимает ли модель входы по именам: torchvision, timm и vit-pytorch — нет."""
    return type(model).__module__.split(".")[0] in ("modern_nets", "transformers")


def tokens(vocab_size: int, *shape: int) -> Tensor:
    """Случайные номера токенов."""
    return torch.randint(0, vocab_size, shape, generator=torch.Generator().manual_seed(0))


def images() -> dict[str, Tensor]:
    """Восемь случайных картинок 224 × 224."""
    return {"pixel_values": torch.randn(8, 3, 224, 224, generator=torch.Generator().manual_seed(0))}


def logits(output: Any) -> Tensor:
    """Логиты: сам выход или его поле."""
    return output if isinstance(output, Tensor) else output.logits


def torchvision_resnet(folder: Path) -> nn.Module:
    """ResNet-50 библиотеки torchvision с весами из папки."""
    from torchvision.models import resnet50 as reference

    model = reference()
    model.load_state_dict(ResNet.from_pretrained(folder).state_dict())
    return model


def hugging_face(name: str) -> Callable[[Path], nn.Module]:
    """Загрузчик класса transformers."""

    def load(folder: Path) -> nn.Module:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        return getattr(transformers, name).from_pretrained(folder)

    return load


def timm_vit(folder: Path) -> nn.Module:
    """ViT-B/16 библиотеки timm, веса случайные."""
    import timm

    return timm.create_model("vit_base_patch16_224", pretrained=False)


def vit_pytorch(folder: Path) -> nn.Module:
    """ViT-B/16 библиотеки vit-pytorch, веса случайные."""
    from vit_pytorch import ViT as Lucidrains

    return Lucidrains(image_size=224, patch_size=16, num_classes=1000, dim=768, depth=12, heads=12, mlp_dim=3072)


CASES = {
    "bert": Case(
        "BERT-base, 8 × 128 токенов",
        lambda folder: Bert(BertConfig()).save_pretrained(folder),
        {"ours": Bert.from_pretrained, "theirs": hugging_face("BertModel")},
        lambda: {"input_ids": tokens(30522, 8, 128), "attention_mask": torch.ones(8, 128, dtype=torch.long)},
        lambda output: output.last_hidden_state,
    ),
    "bert-padded": Case(
        "BERT-base, 8 × 128, половина — заполнители",
        lambda folder: Bert(BertConfig()).save_pretrained(folder),
        {"ours": Bert.from_pretrained, "theirs": hugging_face("BertModel")},
        lambda: {
            "input_ids": tokens(30522, 8, 128),
            "attention_mask": (torch.arange(128) < torch.arange(16, 129, 16)[:, None]).long(),
        },
        lambda output: output.last_hidden_state,
    ),
    "vit": Case(
        "ViT-B/16, 8 картинок",
        lambda folder: ViT(ViTConfig()).save_pretrained(folder),
        {
            "ours": ViT.from_pretrained,
            "theirs": hugging_face("ViTForImageClassification"),
            "timm": timm_vit,
            "vit-pytorch": vit_pytorch,
        },
        images,
        logits,
    ),
    "gpt2": Case(
        "GPT-2 small, 4 × 256 токенов",
        lambda folder: GPT2(GPT2Config()).save_pretrained(folder),
        {"ours": GPT2.from_pretrained, "theirs": hugging_face("GPT2LMHeadModel")},
        lambda: {"input_ids": tokens(50257, 4, 256)},
        logits,
    ),
    "resnet": Case(
        "ResNet-50, 8 картинок",
        lambda folder: resnet50().save_pretrained(folder),
        {"ours": ResNet.from_pretrained, "theirs": torchvision_resnet},
        images,
        logits,
    ),
}

MILLION = GPT2Config(vocab_size=1000, max_tokens=128, d_model=128, n_layers=4, n_heads=4)


def generation(config: GPT2Config, side: str, folder: Path) -> Call:
    """Жадная генерация 64 токенов после начала из 16."""
    if not (folder / "config.json").exists():
        torch.manual_seed(0)
        GPT2(config).save_pretrained(folder)
    prompt = tokens(config.vocab_size, 1, 16)
    if side == "ours":
        model = GPT2.from_pretrained(folder)
        return lambda: generate(model, prompt, 64)
    reference = hugging_face("GPT2LMHeadModel")(folder).eval()
    options = {"max_new_tokens": 64, "min_new_tokens": 64, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    mask = torch.ones_like(prompt)
    return lambda: reference.generate(prompt, attention_mask=mask, **options)
