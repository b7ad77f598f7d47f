"""Многослойный перцептрон для картинок: с ним сравнивают ResNet и ViT.

Буквы в комментариях о форме тензоров: B — примеры в пакете, C — каналы, H и W — высота и ширина.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from modern_nets.checkpoints import Pretrained
from modern_nets.checks import check_images
from modern_nets.config import Config
from modern_nets.layout import Layout


@dataclass(frozen=True, kw_only=True)
class PictureMLPConfig(Config):
    """Настройки MLP для картинок.

    Attributes:
        image_size: Сторона картинки.
        n_channels: Каналов у картинки.
        d_hidden: Ширина двух скрытых слоёв.
        n_classes: Классов.
    """

    image_size: int = 8
    n_channels: int = 1
    d_hidden: int = 240
    n_classes: int = 10


class PictureMLPOutput(NamedTuple):
    """Что возвращает MLP.

    Attributes:
        logits: Оценки классов, форма (B, n_classes).
    """

    logits: Tensor


class PictureMLP(Pretrained):
    """Картинка вытянута в строку и проходит два скрытых слоя: о соседстве пикселей сеть не знает ничего.

    Args:
        config: Настройки.
    """

    CONFIG: ClassVar[type[PictureMLPConfig]] = PictureMLPConfig
    LAYOUT: ClassVar[Layout] = Layout(
        model_type="modern_nets_mlp",
        fields={name: name for name in ("image_size", "n_channels", "d_hidden", "n_classes")},
    )
    ARCHITECTURE: ClassVar[str] = "PictureMLP"
    config: PictureMLPConfig

    def __init__(self, config: PictureMLPConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(config.n_channels * config.image_size**2, config.d_hidden),
            nn.ReLU(),
            nn.Linear(config.d_hidden, config.d_hidden),
            nn.ReLU(),
            nn.Linear(config.d_hidden, config.n_classes),
        )

    def forward(self, pixel_values: Tensor) -> PictureMLPOutput:
        """Оценивает классы картинок.

        Args:
            pixel_values: Картинки, форма (B, C, H, W).

        Returns:
            Логиты (B, n_classes).

        Raises:
            ValueError: не та форма, картинки другого размера.
        """
        check_images(pixel_values, n_channels=self.config.n_channels)
        side = self.config.image_size
        if pixel_values.shape[2:] != (side, side):
            raise ValueError(f"Модель ждёт картинки {side} × {side}, а пришла форма {tuple(pixel_values.shape)}.")
        return PictureMLPOutput(self.layers(pixel_values))
