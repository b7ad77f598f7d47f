"""Пары «наша модель — оригинал»: маленькие нечётные размеры, случайны все параметры и буферы.

Свежая модель многих ошибок не выдаёт: сдвиги — нули, LayerNorm — единицы. Поэтому перед сравнением
каждому параметру и буферу оригинала даётся своё случайное значение.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
import transformers
from torch import Tensor, nn

from modern_nets import formats
from modern_nets.bert import Bert, BertForMaskedLM, BertForSequenceClassification
from modern_nets.checkpoints import Pretrained
from modern_nets.files import Checkpoint
from modern_nets.gpt2 import GPT2
from modern_nets.layout import Layout
from modern_nets.resnet import ResNet, ResNetConfig
from modern_nets.transformer import Transformer
from modern_nets.vit import ViT, ViTConfig

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 2e-2}

BERT_SIZES = {
    "vocab_size": 37,
    "hidden_size": 15,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "intermediate_size": 22,
    "max_position_embeddings": 13,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
GPT2_SIZES = {
    "vocab_size": 37,
    "n_embd": 15,
    "n_layer": 3,
    "n_head": 5,
    "n_positions": 19,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "attn_pdrop": 0.0,
    "bos_token_id": None,
    "eos_token_id": None,
}
VIT_SIZES = {
    "hidden_size": 15,
    "num_hidden_layers": 3,
    "num_attention_heads": 5,
    "intermediate_size": 22,
    "image_size": 12,
    "patch_size": 4,
    "num_channels": 2,
}


@dataclass(frozen=True)
class Pair:
    """Как построить оригинал, прочитать его вес и сравнить слои.

    Attributes:
        reference: Строит оригинал.
        ours: Наш класс.
        inputs: Строит входы по типу чисел.
        layers: Путь к нашему слою → путь к слою оригинала; {i} — номер блока.
        logits: Берёт из выхода то, по чему считаются потери.
        layout: Раскладка файла, когда она не основная у нашего класса.
        config: Настройки, когда оригинал (torchvision) не пишет папку.
    """

    name: str
    reference: Callable[[], nn.Module]
    ours: type[Pretrained]
    inputs: Callable[[torch.dtype], dict[str, Tensor]]
    layers: dict[str, str]
    logits: Callable[[Any], Tensor] = lambda output: output.logits
    layout: Layout | None = None
    config: Any = None

    @property
    def file_layout(self) -> Layout:
        """Под какими именами оригинал пишет тензоры."""
        return self.layout or self.ours.LAYOUT

    def build(self, folder: Path, dtype: torch.dtype = torch.float64) -> tuple[Pretrained, nn.Module]:
        """Наша модель и оригинал с одними весами."""
        torch.manual_seed(0)
        reference = self.reference().eval()
        randomize(reference)
        reference.to(dtype)
        return self.read(reference, folder), reference

    def read(self, reference: nn.Module, folder: Path) -> Pretrained:
        """Наша модель с весами оригинала."""
        if self.config is None:
            reference.save_pretrained(folder)
            return self.ours.from_pretrained(folder)
        checkpoint = Checkpoint("torchvision", {}, reference.state_dict())
        return self.ours._build(checkpoint, self.config, self.file_layout, None)

    def run_reference(self, reference: nn.Module, inputs: dict[str, Tensor]) -> Any:
        """Выход оригинала; torchvision принимает картинки без имени."""
        return reference(**inputs) if self.config is None else reference(inputs["pixel_values"])


def randomize(model: nn.Module) -> None:
    """Случайные значения всех параметров и буферов, при которых числа не растут от слоя к слою."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue  # таблица синусов: в файл её не пишут
            if parameter.dim() > 1:
                parameter.normal_(std=1.5 / parameter[0].numel() ** 0.5)
            elif "norm" in name.lower() or ".bn" in name or ".ln" in name:
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.uniform_(-0.5, 0.5)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.5)
            elif name.endswith("running_var"):
                buffer.uniform_(0.3, 2)
            elif name == "final_logits_bias":
                buffer.normal_()
            elif name.endswith("num_batches_tracked"):
                buffer.random_(1, 1000)


def token_inputs(dtype: torch.dtype, *, segments: bool = True, padding_side: str = "right") -> dict[str, Tensor]:
    """Четыре текста разной длины."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([[11], [4], [1], [7]])
    columns = torch.arange(11).flip(0) if padding_side == "left" else torch.arange(11)
    inputs = {
        "input_ids": torch.randint(0, 37, (4, 11), generator=generator),
        "attention_mask": (columns < lengths).long(),
    }
    if segments:
        inputs["token_type_ids"] = torch.randint(0, 2, (4, 11), generator=generator)
    return inputs


def image_inputs(dtype: torch.dtype, channels: int = 2, height: int = 12, width: int = 12) -> dict[str, Tensor]:
    """Три картинки."""
    generator = torch.Generator().manual_seed(1)
    return {"pixel_values": torch.randn(3, channels, height, width, generator=generator).to(dtype)}


def gpt2_inputs(dtype: torch.dtype) -> dict[str, Tensor]:
    """Тексты без заполнителей: transformers считает позиции по столбцам, а не по настоящим токенам."""
    return {"input_ids": token_inputs(dtype)["input_ids"]}


def hf_resnet(layer_type: str) -> nn.Module:
    """ResNet библиотеки transformers."""
    widths = [8, 12, 20] if layer_type == "bottleneck" else [6, 7, 10]
    config = transformers.ResNetConfig(
        num_channels=2, embedding_size=6, hidden_sizes=widths, depths=[1, 2, 1], layer_type=layer_type, num_labels=5
    )
    return transformers.ResNetForImageClassification(config)


def torchvision_vit() -> nn.Module:
    """ViT библиотеки torchvision; каналов у неё всегда три."""
    return torchvision.models.VisionTransformer(
        image_size=12, patch_size=4, num_layers=3, num_heads=5, hidden_dim=15, mlp_dim=22, num_classes=7
    )


def bert_layers(prefix: str) -> dict[str, str]:
    """Слои тела BERT по порядку."""
    layers = {f"{prefix}embedding_norm": f"{prefix}embeddings"}
    for i in range(3):
        ours, theirs = f"{prefix}blocks.{i}", f"{prefix}encoder.layer.{i}"
        layers |= {
            f"{ours}.attention": f"{theirs}.attention.output.dense",
            f"{ours}.norm_1": f"{theirs}.attention",
            f"{ours}.mlp": f"{theirs}.output.dense",
            ours: theirs,
        }
    return layers


def gpt2_layers() -> dict[str, str]:
    """Слои GPT-2 по порядку."""
    layers = {"dropout": "transformer.drop"}
    for i in range(3):
        ours, theirs = f"blocks.{i}", f"transformer.h.{i}"
        layers |= {f"{ours}.{name}": f"{theirs}.{other}" for name, other in GPT2_PARTS.items()} | {ours: theirs}
    return layers | {"norm": "transformer.ln_f"}


GPT2_PARTS = {"norm_1": "ln_1", "attention": "attn", "norm_2": "ln_2", "mlp": "mlp"}


def vit_layers(prefix: str) -> dict[str, str]:
    """Слои ViT по порядку."""
    layers = {"dropout": f"{prefix}embeddings"}
    for i in range(3):
        ours, theirs = f"blocks.{i}", f"{prefix}layers.{i}"
        parts = {"norm_1": "layernorm_before", "attention": "attention", "norm_2": "layernorm_after", "mlp": "mlp"}
        layers |= {f"{ours}.{name}": f"{theirs}.{other}" for name, other in parts.items()} | {ours: theirs}
    return layers | {"norm": f"{prefix}layernorm"}


def resnet_layers() -> dict[str, str]:
    """Слои ResNet transformers по порядку."""
    blocks = {(0, 0), (1, 0), (1, 1), (2, 0)}
    return {"maxpool": "resnet.embedder"} | {
        f"layer{stage + 1}.{i}": f"resnet.encoder.stages.{stage}.layers.{i}" for stage, i in sorted(blocks)
    }


def torchvision_resnet_pair(name: str, block: type, our_block: str, widths: tuple[int, ...]) -> Pair:
    """ResNet библиотеки torchvision; ширины у неё не меняются."""
    depths = (1, 2, 1, 1)
    config = ResNetConfig(block=our_block, depths=depths, widths=widths, n_classes=5)
    layers = [f"layer{i + 1}.{j}" for i, depth in enumerate(depths) for j in range(depth)]
    return Pair(
        name,
        lambda: torchvision.models.ResNet(block, list(depths), num_classes=5),
        ResNet,
        lambda dtype: image_inputs(dtype, 3, 41, 33),
        {layer: layer for layer in ["conv1", "bn1", "maxpool", *layers, "avgpool"]},
        lambda output: getattr(output, "logits", output),
        Layout(),
        config,
    )


MARIAN_SIZES = {
    "vocab_size": 37,
    "d_model": 20,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "encoder_attention_heads": 5,
    "decoder_attention_heads": 5,
    "encoder_ffn_dim": 22,
    "decoder_ffn_dim": 22,
    "max_position_embeddings": 16,
    "activation_function": "swish",
    "static_position_embeddings": True,
    "scale_embedding": True,
    "dropout": 0.0,
    "pad_token_id": 36,
    "eos_token_id": 0,
    "decoder_start_token_id": 36,
}


def marian_inputs(dtype: torch.dtype) -> dict[str, Tensor]:
    """Исходные тексты разной длины и начала переводов."""
    inputs = token_inputs(dtype, segments=False)
    generator = torch.Generator().manual_seed(2)
    return inputs | {"decoder_input_ids": torch.randint(0, 36, (4, 7), generator=generator)}


def marian_layers() -> dict[str, str]:
    """Слои Transformer по порядку."""
    layers = {}
    for side in ("encoder", "decoder"):
        for i in range(3):
            ours, theirs = f"{side}.{i}", f"model.{side}.layers.{i}"
            layers |= {f"{ours}.attention": f"{theirs}.self_attn", f"{ours}.mlp": f"{theirs}.fc2", ours: theirs}
    return layers


PAIRS = [
    Pair(
        "bert",
        lambda: transformers.BertModel(transformers.BertConfig(**BERT_SIZES)),
        Bert,
        token_inputs,
        bert_layers(""),
        lambda output: output.pooler_output,
    ),
    Pair(
        "bert-masked-lm",
        lambda: transformers.BertForMaskedLM(transformers.BertConfig(**BERT_SIZES)),
        BertForMaskedLM,
        token_inputs,
        bert_layers("bert.") | {"transform_norm": "cls.predictions.transform"},
    ),
    Pair(
        "bert-classifier",
        lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**BERT_SIZES, num_labels=5)),
        BertForSequenceClassification,
        token_inputs,
        bert_layers("bert.") | {"classifier": "classifier"},
    ),
    Pair(
        "gpt2",
        lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2_SIZES)),
        GPT2,
        gpt2_inputs,
        gpt2_layers(),
    ),
    Pair(
        "transformer-marian",
        lambda: transformers.MarianMTModel(transformers.MarianConfig(**MARIAN_SIZES)),
        Transformer,
        marian_inputs,
        marian_layers(),
        layout=formats.MARIAN,
    ),
    Pair(
        "vit",
        lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**VIT_SIZES, num_labels=7)),
        ViT,
        image_inputs,
        vit_layers("vit."),
    ),
    Pair(
        "vit-body",
        lambda: transformers.ViTModel(transformers.ViTConfig(**VIT_SIZES)),
        ViT,
        image_inputs,
        vit_layers(""),
        lambda output: output.last_hidden_state,
    ),
    Pair(
        "vit-torchvision",
        torchvision_vit,
        ViT,
        lambda dtype: image_inputs(dtype, 3),
        {"dropout": "encoder.dropout", "blocks.0.norm_1": "encoder.layers.encoder_layer_0.ln_1", "norm": "encoder.ln"}
        | {f"blocks.{i}": f"encoder.layers.encoder_layer_{i}" for i in range(3)},
        lambda output: getattr(output, "logits", output),
        formats.VIT_TORCHVISION,
        ViTConfig(image_size=12, patch_size=4, d_model=15, n_layers=3, n_heads=5, d_mlp=22, n_classes=7),
    ),
    Pair(
        "resnet-basic",
        lambda: hf_resnet("basic"),
        ResNet,
        lambda dtype: image_inputs(dtype, 2, 41, 33),
        resnet_layers(),
    ),
    Pair(
        "resnet-bottleneck",
        lambda: hf_resnet("bottleneck"),
        ResNet,
        lambda dtype: image_inputs(dtype, 2, 41, 33),
        resnet_layers(),
    ),
    torchvision_resnet_pair(
        "resnet-torchvision-basic", torchvision.models.resnet.BasicBlock, "basic", (64, 128, 256, 512)
    ),
    torchvision_resnet_pair(
        "resnet-torchvision-bottleneck", torchvision.models.resnet.Bottleneck, "bottleneck", (256, 512, 1024, 2048)
    ),
]
BY_NAME = {pair.name: pair for pair in PAIRS}
