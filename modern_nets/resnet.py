"""ResNet: остаточные блоки и сети из них.

Буквы в комментариях о форме тензоров: B — примеры в пакете, C — каналы, H и W — высота и ширина.

Источник: He et al., «Deep Residual Learning for Image Recognition», 2015 (arXiv:1512.03385).
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

from torch import Tensor, nn

from modern_nets import formats
from modern_nets.checkpoints import ImageClassifier
from modern_nets.checks import check_images, check_new_head
from modern_nets.config import Config, unknown_name
from modern_nets.files import Checkpoint
from modern_nets.layers import cross_entropy
from modern_nets.layout import Layout


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(Config):
    """Настройки ResNet; по умолчанию — ResNet-18.

    Attributes:
        block: «basic» — две свёртки 3 × 3; «bottleneck» — 1 × 1, 3 × 3, 1 × 1.
        depths: Сколько блоков на каждой стадии.
        widths: Сколько каналов выходит из каждой стадии.
        stem_width: Каналов после первой свёртки.
        stem: «imagenet» — свёртка 7 × 7 с шагом 2 и max-pooling, картинка уменьшается вчетверо;
            «small» — одна свёртка 3 × 3 для картинок 32 × 32 и меньше.
        n_channels: Каналов у картинки.
        n_classes: Классов; 0 — без головы.
    """

    block: str = "basic"
    depths: tuple[int, ...] = (2, 2, 2, 2)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem_width: int = 64
    stem: str = "imagenet"
    n_channels: int = 3
    n_classes: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block not in BLOCKS:
            raise ValueError(unknown_name("Блока", self.block, BLOCKS))
        if self.stem not in ("imagenet", "small"):
            raise ValueError(unknown_name("Начала сети", self.stem, ("imagenet", "small")))
        if len(self.depths) != len(self.widths) or not self.depths:
            raise ValueError(f"Стадий в depths — {len(self.depths)}, в widths — {len(self.widths)}: нужно поровну.")
        if self.block == "bottleneck" and min(self.widths) < 4:
            raise ValueError(f"Внутри bottleneck каналов вчетверо меньше, а в widths есть {min(self.widths)}.")


class ResNetOutput(NamedTuple):
    """Что возвращает ResNet.

    Attributes:
        last_hidden_state: Карты признаков последней стадии, форма (B, C, H', W').
        pooler_output: Их среднее по картинке, форма (B, C).
        logits: Оценки классов, форма (B, n_classes); None у сети без головы.
        loss: Перекрёстная энтропия в натах, если даны ответы.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor
    logits: Tensor | None = None
    loss: Tensor | None = None


class ResidualBlock(nn.Module):
    """Базовый блок ResNet: две свёртки 3 × 3 и прямой путь мимо них.

    Вычисляет ReLU(F(x) + shortcut(x)). Прямой путь — сам вход x; если блок меняет число каналов
    или уменьшает картинку, формы не сошлись бы, и тогда x проходит через свёртку 1 × 1
    (projection shortcut, вариант B из статьи).

    Args:
        in_dim: Каналов на входе.
        out_dim: Каналов на выходе.
        stride: Шаг первой свёртки: 1 сохраняет размер картинки, 2 уменьшает его вдвое.

    Raises:
        ValueError: число каналов или шаг меньше единицы.

    Источник: He et al., 2015, формулы (1) и (2), рисунок 2.
    """

    def __init__(self, in_dim: int, out_dim: int, stride: int = 1) -> None:
        super().__init__()
        if min(in_dim, out_dim, stride) < 1:
            raise ValueError(
                f"Число каналов и шаг должны быть не меньше 1, а пришло "
                f"in_dim = {in_dim}, out_dim = {out_dim}, stride = {stride}."
            )
        # Сдвига у свёрток нет: BatchNorm вычитает среднее и любой сдвиг стёр бы.
        self.residual = nn.Sequential(
            nn.Conv2d(in_dim, out_dim, kernel_size=3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_dim),
            nn.ReLU(),
            nn.Conv2d(out_dim, out_dim, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_dim),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_dim != out_dim:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_dim, out_dim, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(out_dim),
            )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Пропускает картинки через блок.

        Args:
            x: Карты признаков, форма (B, in_dim, H, W).

        Returns:
            Тензор (B, out_dim, H', W'), где H' = ⌈H / stride⌉ и W' = ⌈W / stride⌉.

        Raises:
            ValueError: у входа не четыре оси или не in_dim каналов.
        """
        in_dim = self.residual[0].in_channels
        if x.dim() != 4 or x.shape[1] != in_dim:
            raise ValueError(f"Блок ждёт тензор (B, {in_dim}, H, W), а пришёл тензор формы {tuple(x.shape)}.")
        return self.relu(self.residual(x) + self.shortcut(x))


class BasicBlock(nn.Module):
    """Блок ResNet-18 и -34: две свёртки 3 × 3.

        x ──┬── conv1 ── bn1 ── ReLU ── conv2 ── bn2 ──(+)── ReLU ──
            └────────────── downsample ─────────────────┘

    Тот же `ResidualBlock`, но с именами параметров из torchvision, чтобы читать её веса.

    Args:
        in_dim: Каналов на входе.
        out_dim: Каналов на выходе.
        stride: Шаг первой свёртки.

    Источник: He et al., 2015, рисунок 5 слева.
    """

    def __init__(self, in_dim: int, out_dim: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_dim, out_dim, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_dim)
        self.conv2 = nn.Conv2d(out_dim, out_dim, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_dim)
        self.downsample = projection(in_dim, out_dim, stride)
        self.relu = nn.ReLU(inplace=True)  # на месте: лишняя копия карт не нужна

    def forward(self, x: Tensor) -> Tensor:
        """Пропускает карты признаков через блок.

        Args:
            x: Карты признаков, форма (B, in_dim, H, W).

        Returns:
            Тензор (B, out_dim, H', W').
        """
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out.add_(shortcut))


class Bottleneck(nn.Module):
    """Блок ResNet-50, -101 и -152: сузить свёрткой 1 × 1, обработать 3 × 3, расширить 1 × 1.

        x ──┬── conv1 ── bn1 ── ReLU ── conv2 ── bn2 ── ReLU ── conv3 ── bn3 ──(+)── ReLU ──
            └──────────────────────────── downsample ─────────────────────────┘

    Отличие от статьи: картинку уменьшает свёртка 3 × 3, а не первая 1 × 1 (вариант v1.5, как в torchvision):
    та пропускала бы три четверти чисел входа.

    Args:
        in_dim: Каналов на входе.
        out_dim: Каналов на выходе; внутри их вчетверо меньше.
        stride: Шаг свёртки 3 × 3.

    Источник: He et al., 2015, рисунок 5 справа.
    """

    def __init__(self, in_dim: int, out_dim: int, stride: int = 1) -> None:
        super().__init__()
        inner = out_dim // 4
        self.conv1 = nn.Conv2d(in_dim, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_dim, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_dim)
        self.downsample = projection(in_dim, out_dim, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Пропускает карты признаков через блок.

        Args:
            x: Карты признаков, форма (B, in_dim, H, W).

        Returns:
            Тензор (B, out_dim, H', W').
        """
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out.add_(shortcut))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


def projection(in_dim: int, out_dim: int, stride: int) -> nn.Sequential | None:
    """Свёртка 1 × 1 на прямом пути — там, где иначе не сошлись бы формы (вариант B из статьи).

    Args:
        in_dim: Каналов на входе.
        out_dim: Каналов на выходе.
        stride: Шаг блока.

    Returns:
        Свёртка с BatchNorm или None, если вход можно прибавить как есть.
    """
    if stride == 1 and in_dim == out_dim:
        return None
    return nn.Sequential(nn.Conv2d(in_dim, out_dim, 1, stride, bias=False), nn.BatchNorm2d(out_dim))


class ResNet(ImageClassifier):
    """Свёрточная сеть с остаточными связями: начало, стадии из блоков, среднее, линейная голова.

    Имена параметров — как в torchvision: `load_state_dict` её моделей подходит без перевода.

    Args:
        config: Настройки; по умолчанию ResNet-18.

    Источник: He et al., 2015, таблица 1.
    """

    CONFIG: ClassVar[type[ResNetConfig]] = ResNetConfig
    LAYOUT: ClassVar[Layout] = formats.RESNET
    OTHER_LAYOUTS: ClassVar[tuple[Layout, ...]] = (formats.RESNET_SMALL_STEM,)
    TORCHVISION_LAYOUT: ClassVar[Layout] = formats.RESNET_TORCHVISION
    ARCHITECTURES: ClassVar[tuple[str, str]] = ("ResNetModel", "ResNetForImageClassification")
    config: ResNetConfig

    def __init__(self, config: ResNetConfig | None = None) -> None:
        config = config or ResNetConfig()
        super().__init__()
        self.config = config
        width = config.stem_width
        if config.stem == "imagenet":
            self.conv1 = nn.Conv2d(config.n_channels, width, 7, stride=2, padding=3, bias=False)
        else:
            self.conv1 = nn.Conv2d(config.n_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if config.stem == "imagenet" else nn.Identity()
        block = BLOCKS[config.block]
        self.stages = [f"layer{i + 1}" for i in range(len(config.depths))]
        for name, depth, out_dim in zip(self.stages, config.depths, config.widths, strict=True):
            blocks = [block(width, out_dim, stride=1 if name == "layer1" else 2)]
            blocks += [block(out_dim, out_dim) for _ in range(depth - 1)]
            self.add_module(name, nn.Sequential(*blocks))
            width = out_dim
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, config.n_classes) if config.n_classes else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # дисперсия прохода сохраняется: He et al., arXiv:1502.01852
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> ResNetOutput:
        """Классифицирует картинки.

        Args:
            pixel_values: Нормированные картинки, форма (B, C, H, W).
            labels: Номера классов, форма (B,); −100 — не учитывать.

        Returns:
            Признаки, логиты и, если даны ответы, потери.

        Raises:
            ValueError: не та форма картинок или ответов, ответы даны сети без головы.
        """
        self._check_input(pixel_values)
        x = self.maxpool(self.relu(self.bn1(self.conv1(pixel_values.to(self.conv1.weight.dtype)))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        pooled = self.avgpool(x).flatten(1)  # (B, C, H', W') → (B, C)
        logits = None if self.fc is None else self.fc(pooled)
        if labels is None:
            return ResNetOutput(x, pooled, logits)
        if logits is None:
            raise ValueError("Даны ответы labels, а у сети нет головы: добавьте её методом new_head(n_classes).")
        return ResNetOutput(x, pooled, logits, cross_entropy(logits, labels))

    def _check_input(self, pixel_values: Tensor) -> None:
        check_images(pixel_values, n_channels=self.config.n_channels)
        # Во столько раз уменьшается картинка. От такой и меньшей остаётся одно число на канал.
        shrink = 2 ** (len(self.stages) - 1) * (4 if self.config.stem == "imagenet" else 1)
        if self.training and len(pixel_values) == 1 and max(pixel_values.shape[2:]) <= shrink:
            raise ValueError(
                f"Одна картинка формы {tuple(pixel_values.shape[1:])}: от неё останется по числу на канал, и BatchNorm "
                "нечего усреднить. Возьмите пакет больше (у DataLoader: drop_last=True) или режим eval."
            )

    def new_head(self, n_classes: int) -> Self:
        """Ставит новую, необученную голову: с этого начинается дообучение на своих классах.

        Args:
            n_classes: Сколько классов.

        Returns:
            Та же сеть.
        """
        check_new_head(n_classes)
        weight = self.conv1.weight
        self.config = replace(self.config, n_classes=n_classes)
        self.fc = nn.Linear(self.config.widths[-1], n_classes, device=weight.device, dtype=weight.dtype)
        self.forget_labels()
        return self

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> ResNetConfig:
        stem = "small" if layout is formats.RESNET_SMALL_STEM else "imagenet"
        n_classes = checkpoint.n_rows("classifier.1.weight")
        return ResNetConfig(**layout.read_config(checkpoint.config), stem=stem, n_classes=n_classes)

    def _layout(self) -> Layout:
        return formats.RESNET_SMALL_STEM if self.config.stem == "small" else formats.RESNET


PRESETS: dict[str, ResNetConfig] = {
    "resnet18": ResNetConfig(),
    "resnet34": ResNetConfig(depths=(3, 4, 6, 3)),
    "resnet50": ResNetConfig(block="bottleneck", depths=(3, 4, 6, 3), widths=(256, 512, 1024, 2048)),
    "resnet101": ResNetConfig(block="bottleneck", depths=(3, 4, 23, 3), widths=(256, 512, 1024, 2048)),
    "resnet152": ResNetConfig(block="bottleneck", depths=(3, 8, 36, 3), widths=(256, 512, 1024, 2048)),
}
"""Готовые настройки по именам torchvision."""
ResNet.PRESETS = PRESETS


def resnet18(**changes: Any) -> ResNet:
    """Необученная ResNet-18; `changes` — поля `ResNetConfig`, которые надо заменить."""
    return ResNet(replace(PRESETS["resnet18"], **changes))


def resnet34(**changes: Any) -> ResNet:
    """Необученная ResNet-34; `changes` — поля `ResNetConfig`, которые надо заменить."""
    return ResNet(replace(PRESETS["resnet34"], **changes))


def resnet50(**changes: Any) -> ResNet:
    """Необученная ResNet-50; `changes` — поля `ResNetConfig`, которые надо заменить."""
    return ResNet(replace(PRESETS["resnet50"], **changes))


def resnet101(**changes: Any) -> ResNet:
    """Необученная ResNet-101; `changes` — поля `ResNetConfig`, которые надо заменить."""
    return ResNet(replace(PRESETS["resnet101"], **changes))


def resnet152(**changes: Any) -> ResNet:
    """Необученная ResNet-152; `changes` — поля `ResNetConfig`, которые надо заменить."""
    return ResNet(replace(PRESETS["resnet152"], **changes))
