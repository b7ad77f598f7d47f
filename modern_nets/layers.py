"""То, что у моделей общее, кроме внимания: MLP, потери и начальные веса.

Буквы в комментариях о форме тензоров: D — ширина модели, M — ширина скрытого слоя MLP.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets.checks import check_labels
from modern_nets.config import unknown_name


def gelu(x: Tensor) -> Tensor:
    """GELU: x · Φ(x), где Φ — функция нормального распределения. Точная, через erf: BERT и ViT.

    Args:
        x: Тензор любой формы.

    Returns:
        Тензор той же формы.

    Источник: Hendrycks, Gimpel, «Gaussian Error Linear Units», 2016 (arXiv:1606.08415), раздел 2.
    """
    return F.gelu(x)


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU, приближённая через tanh: с ней обучали GPT-2, и точная дала бы чуть другие выходы.

    Args:
        x: Тензор любой формы.

    Returns:
        Тензор той же формы.

    Источник: Hendrycks, Gimpel, 2016, раздел 2, приближение 0,5x(1 + tanh(√(2/π)(x + 0,044715x³))).
    """
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": F.relu,
    "silu": F.silu,
}


class MLP(nn.Module):
    """Двухслойная сеть, которая обрабатывает каждый токен отдельно: расширить, согнуть, сжать.

    Args:
        d_model: Ширина токена D.
        d_mlp: Ширина скрытого слоя M, обычно 4 · D.
        activation: «gelu», «gelu_tanh», «relu» или «silu».

    Raises:
        ValueError: неизвестная функция активации.

    Источник: Vaswani et al., 2017, формула (2).
    """

    def __init__(self, d_model: int, d_mlp: int, *, activation: str = "gelu") -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(unknown_name("Активации", activation, ACTIVATIONS))
        self.activation = ACTIVATIONS[activation]
        self.up = nn.Linear(d_model, d_mlp)
        self.down = nn.Linear(d_mlp, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Обрабатывает токены по одному.

        Args:
            x: Токены, форма (..., D).

        Returns:
            Тензор той же формы.
        """
        return self.down(self.activation(self.up(x)))  # D → M → D


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Перекрёстная энтропия: минус средний логарифм вероятности правильного ответа, в натах.

    Args:
        logits: Оценки классов, форма (..., число классов).
        labels: Номера правильных классов, форма (...); −100 — не учитывать.

    Returns:
        Число. Из 16-битных логитов считается в float32, иначе сумма экспонент потеряла бы знаки.

    Raises:
        ValueError: не та форма ответов, номер вне классов или учитывать нечего.
    """
    check_labels(labels, logits.shape[:-1], logits.shape[-1])
    wide = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    return F.cross_entropy(wide.flatten(0, -2), labels.flatten())


def init_weights(module: nn.Module, std: float = 0.02) -> None:
    """Начальные веса BERT, GPT-2 и ViT: нормальные с отклонением `std`, сдвиги — нули.

    Args:
        module: Модель; обходятся все её слои. LayerNorm остаётся как есть: единицы и нули.
        std: Стандартное отклонение; при 0,02 логиты свежей модели малы, и потери близки к ln V.

    Источник: Devlin et al., «BERT», 2018, приложение A.2 и код авторов (initializer_range).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, std=std)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
            with torch.no_grad():
                layer.weight[layer.padding_idx] = 0
