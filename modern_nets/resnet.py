"""Остаточный блок ResNet.

Буквы в комментариях о форме тензоров: B — примеры в пакете, C — каналы, H и W — высота и ширина.

Источник: He et al., «Deep Residual Learning for Image Recognition», 2015 (arXiv:1512.03385), раздел 3.
"""

from torch import Tensor, nn


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
