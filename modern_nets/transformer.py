"""Transformer 2017 года: энкодер читает исходный текст, декодер пишет новый и смотрит на прочитанное.

Буквы в комментариях о форме тензоров: B — примеры в пакете, T — токены, которые пишутся, S — токены, которые
прочитаны, D — ширина модели, V — размер словаря.

Источник: Vaswani et al., «Attention Is All You Need», 2017 (arXiv:1706.03762).
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets import formats
from modern_nets.attention import MultiHeadAttention, padding_mask
from modern_nets.checkpoints import Pretrained, match_tensors
from modern_nets.checks import check_attention_mask, check_max_new_tokens, check_stop_tokens, check_token_ids
from modern_nets.config import Config
from modern_nets.files import Checkpoint
from modern_nets.layers import MLP, cross_entropy
from modern_nets.layout import Layout


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Config):
    """Настройки Transformer; по умолчанию — base из статьи.

    Attributes:
        vocab_size: Размер словаря V, общего для двух языков.
        d_model: Ширина модели D.
        n_heads: Число голов внимания.
        n_layers: Число блоков в энкодере и столько же в декодере.
        d_mlp: Ширина скрытого слоя MLP.
        activation: Функция активации MLP.
        dropout: Доля обнуляемых чисел после эмбеддингов и слоёв.
        layer_norm_eps: Слагаемое под корнем в LayerNorm.
        marian: Две привычки Marian — переводчиков opus-mt: синусы позиций стоят в первой половине столбцов,
            косинусы во второй; к логитам прибавляется сдвиг.
    """

    vocab_size: int = 37000
    d_model: int = 512
    n_heads: int = 8
    n_layers: int = 6
    d_mlp: int = 2048
    activation: str = "relu"
    dropout: float = 0.1
    layer_norm_eps: float = 1e-5
    marian: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_model % 2:
            raise ValueError(f"d_model = {self.d_model} нечётно, а позиция — это пары из синуса и косинуса.")
        if self.marian and self.layer_norm_eps != 1e-5:
            raise ValueError(f"У Marian layer_norm_eps = 1e-05, и в файл его не пишут, а пришло {self.layer_norm_eps}.")


class TransformerOutput(NamedTuple):
    """Что возвращает Transformer.

    Attributes:
        logits: Оценки следующего токена, форма (B, T, V).
        loss: Перекрёстная энтропия в натах; None, если ответов не дали.
        encoder_last_hidden_state: Прочитанный текст после энкодера, форма (B, S, D).
        last_hidden_state: Токены после декодера, форма (B, T, D).
        cross_attentions: Веса перекрёстного внимания каждого блока декодера, формы (B, голова, T, S);
            None, если их не просили.
    """

    logits: Tensor
    loss: Tensor | None
    encoder_last_hidden_state: Tensor
    last_hidden_state: Tensor
    cross_attentions: tuple[Tensor, ...] | None


def sinusoidal_positions(n_tokens: int, d_model: int, *, device: torch.device | str | None = None) -> Tensor:
    """Позиции из синусов и косинусов: у каждой пары чисел своя длина волны, от 2π до 10 000 · 2π.

    Args:
        n_tokens: Сколько позиций.
        d_model: Ширина модели D, чётная.
        device: Где создать тензор.

    Returns:
        Тензор (n_tokens, D), float32: чётные столбцы — синусы, нечётные — косинусы.

    Raises:
        ValueError: d_model нечётна.

    Источник: Vaswani et al., 2017, раздел 3.5.
    """
    if d_model % 2:
        raise ValueError(f"d_model = {d_model} нечётно, а позиция — это пары из синуса и косинуса.")
    positions = torch.arange(n_tokens, dtype=torch.float64, device="cpu")[:, None]
    frequencies = 10_000 ** (-torch.arange(0, d_model, 2, dtype=torch.float64, device="cpu") / d_model)
    angles = positions * frequencies  # (T, D / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float().to(device)


class EncoderBlock(nn.Module):
    """Блок энкодера, post-norm: нормализация стоит после сложения.

        x ──┬── attention ──(+)── norm_1 ──┬── mlp ──(+)── norm_2 ──
            └────────────────┘             └──────────┘

    Источник: Vaswani et al., 2017, рисунок 1 слева.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d_model, eps = config.d_model, config.layer_norm_eps
        self.attention = MultiHeadAttention(d_model, config.n_heads)
        self.norm_1 = nn.LayerNorm(d_model, eps=eps)
        self.mlp = MLP(d_model, config.d_mlp, activation=config.activation)
        self.norm_2 = nn.LayerNorm(d_model, eps=eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Пропускает токены через блок.

        Args:
            x: Токены, форма (B, S, D).
            mask: Булева маска заполнителей, приводимая к (B, H, S, S).

        Returns:
            Тензор (B, S, D).
        """
        x = self.norm_1(x + self.dropout(self.attention(x, mask=mask)))
        return self.norm_2(x + self.dropout(self.mlp(x)))


class DecoderBlock(nn.Module):
    """Блок декодера: между вниманием к своему прошлому и MLP стоит внимание к прочитанному тексту.

        x ──┬── attention ──(+)── norm_1 ──┬── cross_attention(context) ──(+)── norm_2 ──┬── mlp ──(+)── norm_3 ──
            └────────────────┘             └───────────────────────────────┘             └──────────┘

    Источник: Vaswani et al., 2017, рисунок 1 справа.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d_model, eps = config.d_model, config.layer_norm_eps
        self.attention = MultiHeadAttention(d_model, config.n_heads)
        self.norm_1 = nn.LayerNorm(d_model, eps=eps)
        self.cross_attention = MultiHeadAttention(d_model, config.n_heads)
        self.norm_2 = nn.LayerNorm(d_model, eps=eps)
        self.mlp = MLP(d_model, config.d_mlp, activation=config.activation)
        self.norm_3 = nn.LayerNorm(d_model, eps=eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        mask: Tensor | None = None,
        context_mask: Tensor | None = None,
        cross_attentions: list[Tensor] | None = None,
    ) -> Tensor:
        """Пропускает токены через блок.

        Args:
            x: Токены, которые пишутся, форма (B, T, D).
            context: Прочитанный текст, форма (B, S, D).
            mask: Маска заполнителей перевода, приводимая к (B, H, T, T); будущее закрыто всегда.
            context_mask: Маска заполнителей прочитанного, приводимая к (B, H, T, S).
            cross_attentions: Список, в который дописать веса перекрёстного внимания.

        Returns:
            Тензор (B, T, D).
        """
        x = self.norm_1(x + self.dropout(self.attention(x, mask=mask, is_causal=True)))
        seen = self.cross_attention(x, context, context_mask, attentions=cross_attentions)
        x = self.norm_2(x + self.dropout(seen))
        return self.norm_3(x + self.dropout(self.mlp(x)))


class Transformer(Pretrained):
    """Энкодер-декодер для перевода. Эмбеддинги двух языков и матрица логитов — одна таблица.

    Отличия от статьи: проекции внимания со сдвигами, как в `nn.Transformer`. Сглаживания ответов
    (label smoothing) в потерях нет: это рецепт обучения, а не модель. Обученных весов авторы не оставили,
    зато той же архитектуры — переводчики opus-mt (Marian): `from_pretrained` читает их папки.

    Args:
        config: Настройки; по умолчанию base из статьи.

    Источник: Vaswani et al., 2017, разделы 3.1 и 3.4, рисунок 1.
    """

    CONFIG: ClassVar[type[TransformerConfig]] = TransformerConfig
    LAYOUT: ClassVar[Layout] = formats.TRANSFORMER
    OTHER_LAYOUTS: ClassVar[tuple[Layout, ...]] = (formats.MARIAN,)
    config: TransformerConfig
    output_bias: Tensor

    def __init__(self, config: TransformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TransformerConfig()
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.n_layers))
        self.dropout = nn.Dropout(config.dropout)
        if config.marian:
            self.register_buffer("output_bias", torch.zeros(1, config.vocab_size))
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        # Эмбеддинги ниже умножаются на √D, а как матрица логитов служат без множителя: так оба масштаба в порядке.
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)

    def forward(
        self,
        input_ids: Tensor,
        decoder_input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> TransformerOutput:
        """Оценивает продолжения перевода на каждом месте.

        Args:
            input_ids: Исходный текст, форма (B, S).
            decoder_input_ids: Начало перевода, форма (B, T); первый токен — знак начала.
            attention_mask: 1 — настоящий токен исходного текста, 0 — заполнитель, форма (B, S).
            labels: Правильный следующий токен на каждом месте, форма (B, T): перевод без знака начала,
                уже сдвинутый; −100 — не учитывать.
            return_attention: Вернуть и веса перекрёстного внимания.

        Returns:
            Логиты, потери, тексты после энкодера и декодера, веса.

        Raises:
            ValueError: не те формы, номер вне словаря, пакеты разной длины.
        """
        cross_attentions: list[Tensor] | None = [] if return_attention else None
        context = self.encode(input_ids, attention_mask)
        x = self.decode(decoder_input_ids, context, attention_mask, cross_attentions)
        logits = self.logits(x)
        loss = None if labels is None else cross_entropy(logits, labels)
        weights = None if cross_attentions is None else tuple(cross_attentions)
        return TransformerOutput(logits, loss, context, x, weights)

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Читает исходный текст.

        Args:
            input_ids: Номера токенов, форма (B, S).
            attention_mask: 1 — настоящий токен, 0 — заполнитель, форма (B, S).

        Returns:
            Прочитанный текст, форма (B, S, D).
        """
        x = self.embed(input_ids)
        check_attention_mask(attention_mask, n_batch=x.shape[0], n_tokens=x.shape[1])
        mask = None if attention_mask is None else padding_mask(attention_mask)
        for block in self.encoder:
            x = block(x, mask)
        return x

    def decode(
        self,
        decoder_input_ids: Tensor,
        context: Tensor,
        attention_mask: Tensor | None = None,
        cross_attentions: list[Tensor] | None = None,
    ) -> Tensor:
        """Пишет перевод, глядя на прочитанное.

        Args:
            decoder_input_ids: Начало перевода, форма (B, T).
            context: Что вернул `encode`, форма (B, S, D).
            attention_mask: Маска исходного текста, форма (B, S).
            cross_attentions: Список, в который дописать веса перекрёстного внимания.

        Returns:
            Токены после декодера, форма (B, T, D).

        Raises:
            ValueError: пакеты разной длины, маска не той формы, номер вне словаря.
        """
        x = self.embed(decoder_input_ids)
        if len(context) != len(x):
            raise ValueError(f"Исходных текстов {len(context)}, а переводов {len(x)}: их должно быть поровну.")
        check_attention_mask(attention_mask, n_batch=context.shape[0], n_tokens=context.shape[1])
        context_mask = None if attention_mask is None else padding_mask(attention_mask)
        for block in self.decoder:
            x = block(x, context, context_mask=context_mask, cross_attentions=cross_attentions)
        return x

    def embed(self, input_ids: Tensor) -> Tensor:
        """Эмбеддинги, умноженные на √D, и позиции. Длина не ограничена: позиции считаются, а не учатся.

        Args:
            input_ids: Номера токенов, форма (B, T).

        Returns:
            Тензор (B, T, D).
        """
        check_token_ids(input_ids, vocab_size=self.config.vocab_size)
        tokens = self.embedding(input_ids) * math.sqrt(self.config.d_model)
        positions = sinusoidal_positions(input_ids.shape[1], self.config.d_model, device=tokens.device)  # (T, D)
        if self.config.marian:
            positions = torch.cat([positions[:, 0::2], positions[:, 1::2]], dim=1)
        return self.dropout(tokens + positions.to(tokens.dtype))

    def logits(self, x: Tensor) -> Tensor:
        """Оценки токенов: сходство с каждой строкой таблицы эмбеддингов.

        Args:
            x: Токены после декодера, форма (..., D).

        Returns:
            Тензор (..., V).
        """
        logits = F.linear(x, self.embedding.weight)
        return logits + self.output_bias[0] if self.config.marian else logits

    @torch.no_grad()
    def translate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        start_token: int,
        stop_token: int,
        max_new_tokens: int = 64,
        forbidden_tokens: Collection[int] = (),
    ) -> Tensor:
        """Жадный перевод: каждый раз дописывается самый вероятный токен.

        Args:
            input_ids: Исходные тексты, форма (B, S).
            attention_mask: Их маска, форма (B, S).
            start_token: Знак начала перевода.
            stop_token: Знак конца; после него строка дополняется им же.
            max_new_tokens: Сколько токенов дописать самое большее.
            forbidden_tokens: Токены, которых в переводе быть не может, например заполнитель.

        Returns:
            Переводы со знаком начала, форма (B, не больше 1 + max_new_tokens).

        Raises:
            ValueError: не те формы, номер вне словаря, дописывать нечего.
        """
        check_stop_tokens([start_token, stop_token, *forbidden_tokens], vocab_size=self.config.vocab_size)
        check_max_new_tokens(max_new_tokens)
        context = self.encode(input_ids, attention_mask)
        written = input_ids.new_full((len(input_ids), 1), start_token)
        finished = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for _ in range(max_new_tokens):
            x = self.decode(written, context, attention_mask)[:, -1]
            logits = self.logits(x)  # (B, V)
            logits[:, list(forbidden_tokens)] = -torch.inf
            token = logits.argmax(-1).masked_fill(finished, stop_token)
            written = torch.cat([written, token[:, None]], dim=1)
            finished |= token == stop_token
            if finished.all():
                break
        return written

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> TransformerConfig:
        return TransformerConfig(**layout.read_config(checkpoint.config), marian=layout is formats.MARIAN)

    def _layout(self) -> Layout:
        return formats.MARIAN if self.config.marian else formats.TRANSFORMER

    @property
    def architecture(self) -> str:
        """Имя того же класса в transformers."""
        return "MarianMTModel" if self.config.marian else "Transformer"

    def load_torch_layers(self, reference: nn.Transformer) -> Self:
        """Берёт веса блоков у `nn.Transformer`: те же слои под другими именами.

        Режим (train или eval) и dropout остаются своими: для сверки обе модели переведите в eval.

        Args:
            reference: Модель PyTorch с такими же настройками, post-norm. Последних нормализаций (encoder.norm,
                decoder.norm) в статье нет; присвойте им None.

        Returns:
            Та же модель.

        Raises:
            ValueError: у модели PyTorch другие настройки или тензоры.
        """
        if reference.encoder.norm is not None or reference.decoder.norm is not None:
            raise ValueError(
                "У nn.Transformer есть последние нормализации, которых в статье нет. "
                "Уберите их до обучения: reference.encoder.norm = reference.decoder.norm = None."
            )
        layer, config = reference.encoder.layers[0], self.config
        activation = getattr(layer.activation, "__name__", type(layer.activation).__name__.lower())
        if getattr(layer.activation, "approximate", "none") == "tanh":
            activation = "gelu_tanh"
        theirs = {
            "n_heads": layer.self_attn.num_heads,
            "layer_norm_eps": layer.norm1.eps,
            "activation": activation,
            "norm_first": layer.norm_first,
        }
        ours = {"norm_first": False} | {
            name: getattr(config, name) for name in ("n_heads", "layer_norm_eps", "activation")
        }
        for name, value in theirs.items():
            if value != ours[name]:
                raise ValueError(f"У nn.Transformer {name} = {value!r}, а у этой модели {name} = {ours[name]!r}.")
        checkpoint = Checkpoint("nn.Transformer", {}, reference.state_dict())
        layers = nn.ModuleDict({"encoder": self.encoder, "decoder": self.decoder})
        layers.load_state_dict(match_tensors(layers, checkpoint, formats.TORCH_TRANSFORMER))
        return self


PRESETS: dict[str, TransformerConfig] = {
    "transformer-base": TransformerConfig(),
    "transformer-big": TransformerConfig(d_model=1024, n_heads=16, d_mlp=4096, dropout=0.3),
}
"""Готовые настройки: base и big из таблицы 3 статьи."""
Transformer.PRESETS = PRESETS


def transformer_base(**changes: Any) -> Transformer:
    """Необученный Transformer base; `changes` — поля `TransformerConfig`, которые надо заменить."""
    return Transformer(replace(PRESETS["transformer-base"], **changes))


def transformer_big(**changes: Any) -> Transformer:
    """Необученный Transformer big; `changes` — поля `TransformerConfig`, которые надо заменить."""
    return Transformer(replace(PRESETS["transformer-big"], **changes))
