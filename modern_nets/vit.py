"""Vision Transformer: картинка режется на квадраты, и дальше они — обычные токены энкодера.

Буквы в комментариях о форме тензоров: B — примеры в пакете, C — каналы, H и W — высота и ширина,
N — патчи, D — ширина модели.

Источник: Dosovitskiy et al., «An Image is Worth 16×16 Words: Transformers for Image Recognition at Scale»,
2020 (arXiv:2010.11929).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from modern_nets import formats
from modern_nets.attention import MultiHeadAttention
from modern_nets.checkpoints import ImageClassifier
from modern_nets.checks import check_images, check_new_head
from modern_nets.config import Config
from modern_nets.files import Checkpoint
from modern_nets.layers import MLP, cross_entropy, init_weights
from modern_nets.layout import Layout


@dataclass(frozen=True, kw_only=True)
class ViTConfig(Config):
    """Настройки ViT; по умолчанию — ViT-B/16.

    Attributes:
        image_size: Сторона картинки в пикселях.
        patch_size: Сторона патча в пикселях.
        n_channels: Каналов у картинки.
        d_model: Ширина модели D.
        n_layers: Число блоков.
        n_heads: Число голов внимания.
        d_mlp: Ширина скрытого слоя MLP.
        activation: Функция активации MLP.
        dropout: Доля обнуляемых чисел после эмбеддингов и слоёв.
        attention_dropout: Доля обнуляемых весов внимания.
        layer_norm_eps: Слагаемое под корнем в LayerNorm: 1e-6 у авторов и torchvision, 1e-12 у Hugging Face.
        n_classes: Классов; 0 — без головы.
    """

    image_size: int = 224
    patch_size: int = 16
    n_channels: int = 3
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_mlp: int = 3072
    activation: str = "gelu"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    layer_norm_eps: float = 1e-6
    n_classes: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size % self.patch_size:
            raise ValueError(
                f"Картинка {self.image_size} × {self.image_size} не режется на патчи "
                f"{self.patch_size} × {self.patch_size} без остатка."
            )


class ViTOutput(NamedTuple):
    """Что возвращает ViT.

    Attributes:
        last_hidden_state: Токены после последней нормализации, форма (B, 1 + N, D); первый — [CLS].
        logits: Оценки классов, форма (B, n_classes); None у модели без головы.
        loss: Перекрёстная энтропия в натах; None, если ответов не дали.
        attentions: Веса внимания каждого блока, формы (B, голова, 1 + N, 1 + N); None, если их не просили.
    """

    last_hidden_state: Tensor
    logits: Tensor | None
    loss: Tensor | None
    attentions: tuple[Tensor, ...] | None


class ViTBlock(nn.Module):
    """Блок энкодера: нормализация стоит перед слоем (pre-norm).

        x ──┬── norm_1 ── attention ──(+)──┬── norm_2 ── mlp ──(+)──
            └──────────────────────────┘   └─────────────────────┘

    Источник: Dosovitskiy et al., 2020, формулы (2) и (3).
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, dropout=config.attention_dropout)
        self.norm_2 = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.mlp = MLP(config.d_model, config.d_mlp, activation=config.activation)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, attentions: list[Tensor] | None = None) -> Tensor:
        """Пропускает токены через блок. Маски нет: каждый патч видит все.

        Args:
            x: Токены, форма (B, 1 + N, D).
            attentions: Список, в который дописать веса внимания.

        Returns:
            Тензор той же формы.
        """
        x = x + self.dropout(self.attention(self.norm_1(x), attentions=attentions))
        return x + self.dropout(self.mlp(self.norm_2(x)))


class ViT(ImageClassifier):
    """Vision Transformer: патчи, [CLS], позиции, блоки энкодера и линейная голова над [CLS].

    Args:
        config: Настройки; по умолчанию ViT-B/16.

    Источник: Dosovitskiy et al., 2020, раздел 3.1, формулы (1)–(4).
    """

    CONFIG: ClassVar[type[ViTConfig]] = ViTConfig
    LAYOUT: ClassVar[Layout] = formats.VIT
    TORCHVISION_LAYOUT: ClassVar[Layout] = formats.VIT_TORCHVISION
    ARCHITECTURES: ClassVar[tuple[str, str]] = ("ViTModel", "ViTForImageClassification")
    config: ViTConfig

    def __init__(self, config: ViTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ViTConfig()
        n_patches = (config.image_size // config.patch_size) ** 2
        # Свёртка, чей шаг равен окну: каждый патч вытягивается в строку и умножается на одну и ту же матрицу.
        self.patch_embedding = nn.Conv2d(
            config.n_channels, config.d_model, kernel_size=config.patch_size, stride=config.patch_size
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.d_model))
        self.position_embedding = nn.Parameter(torch.zeros(1, 1 + n_patches, config.d_model))
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(ViTBlock(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.head = nn.Linear(config.d_model, config.n_classes) if config.n_classes else None
        init_weights(self)
        for weight in (self.cls_token, self.position_embedding):
            nn.init.normal_(weight, std=0.02)

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, *, return_attention: bool = False
    ) -> ViTOutput:
        """Классифицирует картинки.

        Args:
            pixel_values: Нормированные картинки, форма (B, C, H, W); H = W = image_size.
            labels: Номера классов, форма (B,).
            return_attention: Вернуть и веса внимания; оно считается тогда по формуле.

        Returns:
            Токены, логиты, потери и веса.

        Raises:
            ValueError: не та форма или сторона картинок, ответы даны модели без головы.
        """
        attentions: list[Tensor] | None = [] if return_attention else None
        x = self.embed(pixel_values)
        for block in self.blocks:
            x = block(x, attentions)
        x = self.norm(x)
        logits = None if self.head is None else self.head(x[:, 0])  # решает только [CLS]
        loss = None
        if labels is not None:
            if logits is None:
                raise ValueError("Даны ответы labels, а у модели нет головы: добавьте её методом new_head(n_classes).")
            loss = cross_entropy(logits, labels)
        return ViTOutput(x, logits, loss, None if attentions is None else tuple(attentions))

    def embed(self, pixel_values: Tensor) -> Tensor:
        """Вход первого блока: [CLS] и патчи вместе с их позициями.

        Args:
            pixel_values: Картинки, форма (B, C, H, W).

        Returns:
            Тензор (B, 1 + N, D); патчи идут строками слева направо, сверху вниз.

        Raises:
            ValueError: не те оси, каналы или сторона картинки.
        """
        check_images(pixel_values, n_channels=self.config.n_channels)
        size = self.config.image_size
        if tuple(pixel_values.shape[2:]) != (size, size):
            height, width = pixel_values.shape[2:]
            raise ValueError(
                f"Картинка {height} × {width}, а таблица позиций рассчитана на {size} × {size}: "
                "измените размер картинки."
            )
        patches = self.patch_embedding(pixel_values.to(self.cls_token.dtype)).flatten(2).mT  # (B, C, H, W) → (B, N, D)
        cls_token = self.cls_token.expand(len(patches), -1, -1)  # (B, 1, D)
        return self.dropout(torch.cat([cls_token, patches], dim=1) + self.position_embedding)

    def new_head(self, n_classes: int) -> Self:
        """Ставит новую, необученную голову: с этого начинается дообучение на своих классах.

        Args:
            n_classes: Сколько классов.

        Returns:
            Та же модель.
        """
        check_new_head(n_classes)
        self.config = replace(self.config, n_classes=n_classes)
        weight = self.cls_token
        self.head = nn.Linear(self.config.d_model, n_classes, device=weight.device, dtype=weight.dtype)
        init_weights(self.head)
        self.forget_labels()
        return self

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> ViTConfig:
        return ViTConfig(**layout.read_config(checkpoint.config), n_classes=checkpoint.n_rows("classifier.weight"))


PRESETS: dict[str, ViTConfig] = {
    "vit_b_16": ViTConfig(),
    "vit_l_16": ViTConfig(d_model=1024, n_layers=24, n_heads=16, d_mlp=4096),
}
"""Готовые настройки по именам torchvision."""
ViT.PRESETS = PRESETS


def vit_b_16(**changes: Any) -> ViT:
    """Необученный ViT-B/16; `changes` — поля `ViTConfig`, которые надо заменить."""
    return ViT(replace(PRESETS["vit_b_16"], **changes))


def vit_l_16(**changes: Any) -> ViT:
    """Необученный ViT-L/16; `changes` — поля `ViTConfig`, которые надо заменить."""
    return ViT(replace(PRESETS["vit_l_16"], **changes))
