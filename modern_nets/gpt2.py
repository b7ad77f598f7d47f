"""GPT-2: декодер, который предсказывает следующий токен.

Буквы в комментариях о форме тензоров: B — примеры в пакете, T — токены, D — ширина модели,
H — головы внимания, V — размер словаря.

Источник: Radford et al., «Language Models are Unsupervised Multitask Learners», 2019, раздел 2.3.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets import formats
from modern_nets.attention import KVCache, MultiHeadAttention, padding_mask
from modern_nets.checkpoints import Pretrained
from modern_nets.checks import check_attention_mask, check_token_ids
from modern_nets.config import Config
from modern_nets.layers import MLP, cross_entropy, init_weights
from modern_nets.layout import Layout


@dataclass(frozen=True, kw_only=True)
class GPT2Config(Config):
    """Настройки GPT-2; по умолчанию — GPT-2 small.

    Attributes:
        vocab_size: Размер словаря V.
        max_tokens: Длина таблицы позиций: больше токенов модель не прочтёт.
        d_model: Ширина модели D.
        n_layers: Число блоков.
        n_heads: Число голов внимания H.
        d_mlp: Ширина скрытого слоя MLP; None — 4 · D.
        activation: Функция активации MLP.
        dropout: Доля обнуляемых чисел после внимания и MLP.
        embedding_dropout: Доля обнуляемых чисел после эмбеддингов.
        attention_dropout: Доля обнуляемых весов внимания.
        layer_norm_eps: Слагаемое под корнем в LayerNorm.
    """

    vocab_size: int = 50257
    max_tokens: int = 1024
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_mlp: int | None = None
    activation: str = "gelu_tanh"
    dropout: float = 0.1
    embedding_dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_eps: float = 1e-5


class GPT2Output(NamedTuple):
    """Что возвращает GPT-2.

    Attributes:
        logits: Оценки следующего токена на каждом месте, форма (B, T, V).
        loss: Перекрёстная энтропия следующего токена в натах; None, если ответов не дали.
        last_hidden_state: Токены после последней нормализации, форма (B, T, D).
        attentions: Веса внимания каждого блока, формы (B, H, T, S); None, если их не просили.
    """

    logits: Tensor
    loss: Tensor | None
    last_hidden_state: Tensor
    attentions: tuple[Tensor, ...] | None


class GPT2Block(nn.Module):
    """Блок декодера: нормализация стоит перед слоем (pre-norm), и прямой путь ничем не прерван.

        x ──┬── norm_1 ── attention ──(+)──┬── norm_2 ── mlp ──(+)──
            └──────────────────────────┘   └─────────────────────┘

    Источник: Radford et al., 2019, раздел 2.3.
    """

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, dropout=config.attention_dropout)
        self.norm_2 = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.mlp = MLP(config.d_model, config.d_mlp or 4 * config.d_model, activation=config.activation)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        cache: KVCache | None = None,
        attentions: list[Tensor] | None = None,
    ) -> Tensor:
        """Пропускает токены через блок.

        Args:
            x: Токены, форма (B, T, D).
            mask: Маска заполнителей, приводимая к (B, H, T, S). Будущее закрыто всегда.
            cache: Кэш этого блока: прошлое, прочитанное раньше.
            attentions: Список, в который дописать веса внимания.

        Returns:
            Тензор (B, T, D).
        """
        attended = self.attention(self.norm_1(x), mask=mask, is_causal=True, cache=cache, attentions=attentions)
        x = x + self.dropout(attended)
        return x + self.dropout(self.mlp(self.norm_2(x)))


class GPT2(Pretrained):
    """GPT-2 с головой: эмбеддинги, блоки, последняя нормализация, логиты следующего токена.

    Матрица головы — та же таблица эмбеддингов токенов.

    Args:
        config: Настройки; по умолчанию GPT-2 small.

    Источник: Radford et al., 2019, раздел 2.3; Radford et al., «Improving Language Understanding
    by Generative Pre-Training», 2018, формула (2).
    """

    CONFIG: ClassVar[type[GPT2Config]] = GPT2Config
    LAYOUT: ClassVar[Layout] = formats.GPT2
    ARCHITECTURE: ClassVar[str] = "GPT2LMHeadModel"
    config: GPT2Config

    def __init__(self, config: GPT2Config | None = None) -> None:
        super().__init__()
        self.config = config = config or GPT2Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.max_tokens, config.d_model)
        self.dropout = nn.Dropout(config.embedding_dropout)
        self.blocks = nn.ModuleList(GPT2Block(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        init_weights(self)
        for name, weight in self.named_parameters():
            # Прямой путь складывает 2·n_layers слагаемых; чтобы сумма не росла с глубиной, каждое уменьшают.
            if name.endswith(("attention.output.weight", "mlp.down.weight")):
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.n_layers))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        caches: list[KVCache] | None = None,
        logits_to_keep: int = 0,
        return_attention: bool = False,
    ) -> GPT2Output:
        """Оценивает следующий токен на каждом месте.

        Args:
            input_ids: Номера токенов, форма (B, T).
            attention_mask: 1 — настоящий токен, 0 — заполнитель; форма (B, T), а с кэшем — (B, прошлые + T).
                Позиции считаются по настоящим токенам, поэтому заполнители слева ничего не сдвигают.
            labels: Те же номера, форма (B, T); −100 — не учитывать. Сдвигать их не надо: логиты на месте t
                сравниваются с ответом на месте t + 1.
            caches: По кэшу на блок (`new_caches`): `input_ids` продолжают прочитанное раньше.
            logits_to_keep: Посчитать логиты только для стольких последних мест; 0 — для всех.
            return_attention: Вернуть и веса внимания; оно считается тогда по формуле.

        Returns:
            Логиты, потери, токены после последней нормализации и веса.

        Raises:
            ValueError: не те формы, номер вне словаря, токенов больше max_tokens или места в кэше.
        """
        config = self.config
        n_past = caches[0].n_tokens if caches else 0
        check_token_ids(input_ids, vocab_size=config.vocab_size, max_tokens=config.max_tokens, n_past=n_past)
        n_batch, n_tokens = input_ids.shape
        check_attention_mask(attention_mask, n_batch=n_batch, n_tokens=n_past + n_tokens)
        if caches is not None:
            self._check_caches(caches)
        if logits_to_keep < 0 or (labels is not None and logits_to_keep):
            raise ValueError(f"logits_to_keep — число от 0, а с ответами labels — только 0; пришло {logits_to_keep}.")

        positions, mask = self.position_embedding.weight[n_past : n_past + n_tokens], None  # (T, D)
        if attention_mask is not None and not attention_mask.all():
            numbers = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)  # (B, S): номер среди настоящих токенов
            positions = self.position_embedding(numbers[:, n_past:])  # (B, T, D)
            mask = padding_mask(attention_mask)
        x = self.dropout(self.token_embedding(input_ids) + positions)  # (B, T, D)
        attentions: list[Tensor] | None = [] if return_attention else None
        for i, block in enumerate(self.blocks):
            x = block(x, mask, caches[i] if caches else None, attentions)
        x = self.norm(x)
        logits = F.linear(x[:, -logits_to_keep:], self.token_embedding.weight)  # (B, T, V)
        loss = None if labels is None else next_token_loss(logits, labels)
        return GPT2Output(logits, loss, x, None if attentions is None else tuple(attentions))

    def _check_caches(self, caches: list[KVCache]) -> None:
        n_layers = self.config.n_layers
        if len(caches) != n_layers:
            raise ValueError(f"Кэшей {len(caches)}, а блоков {n_layers}: возьмите model.new_caches(...).")
        if len({id(cache) for cache in caches}) < n_layers:
            raise ValueError("Один кэш дан двум блокам, а нужен свой каждому: возьмите model.new_caches(...).")
        if len({cache.n_tokens for cache in caches}) > 1:
            raise ValueError("В кэшах разное число токенов: прошлое чтение прервалось. Возьмите model.new_caches(...).")

    def new_caches(self, max_tokens: int | None = None) -> list[KVCache]:
        """Пустые кэши, по одному на блок.

        Args:
            max_tokens: На сколько токенов занять место; None — на всю таблицу позиций.

        Returns:
            Кэши для аргумента `caches`.
        """
        return [KVCache(self.config.max_tokens if max_tokens is None else max_tokens) for _ in self.blocks]


def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Потери предсказания следующего токена: логиты на месте t отвечают за токен на месте t + 1.

    Args:
        logits: Оценки, форма (B, T, V).
        labels: Номера токенов, форма (B, T); −100 — не учитывать.

    Returns:
        Перекрёстная энтропия в натах.

    Raises:
        ValueError: формы разные или токен всего один, и предсказывать нечего.
    """
    if labels.shape != logits.shape[:2]:
        raise ValueError(f"Ответы labels формы {tuple(labels.shape)}, а ожидались формы {tuple(logits.shape[:2])}.")
    if labels.shape[1] < 2:
        raise ValueError("В последовательности один токен: следующего нет, и предсказывать нечего.")
    # Сдвинуты ответы, а не логиты: срез логитов скопировал бы B · T · V чисел.
    return cross_entropy(logits, F.pad(labels[:, 1:], (0, 1), value=-100))


PRESETS: dict[str, GPT2Config] = {
    "gpt2": GPT2Config(),
    "gpt2-medium": GPT2Config(d_model=1024, n_layers=24, n_heads=16),
    "gpt2-large": GPT2Config(d_model=1280, n_layers=36, n_heads=20),
    "gpt2-xl": GPT2Config(d_model=1600, n_layers=48, n_heads=25),
}
"""Готовые настройки по именам Hugging Face."""
GPT2.PRESETS = PRESETS


def gpt2(**changes: Any) -> GPT2:
    """Необученная GPT-2 small; `changes` — поля `GPT2Config`, которые надо заменить."""
    return GPT2(replace(PRESETS["gpt2"], **changes))


def gpt2_medium(**changes: Any) -> GPT2:
    """Необученная GPT-2 medium; `changes` — поля `GPT2Config`, которые надо заменить."""
    return GPT2(replace(PRESETS["gpt2-medium"], **changes))


def gpt2_large(**changes: Any) -> GPT2:
    """Необученная GPT-2 large; `changes` — поля `GPT2Config`, которые надо заменить."""
    return GPT2(replace(PRESETS["gpt2-large"], **changes))


def gpt2_xl(**changes: Any) -> GPT2:
    """Необученная GPT-2 XL; `changes` — поля `GPT2Config`, которые надо заменить."""
    return GPT2(replace(PRESETS["gpt2-xl"], **changes))
