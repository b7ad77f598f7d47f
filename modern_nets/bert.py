"""BERT: двунаправленный энкодер и две головы — угадать закрытые токены и определить класс текста.

Буквы в комментариях о форме тензоров: B — примеры в пакете, T — токены, D — ширина модели,
H — головы внимания, V — размер словаря.

Источник: Devlin et al., «BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding»,
2018 (arXiv:1810.04805).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets import formats
from modern_nets.attention import MultiHeadAttention, padding_mask
from modern_nets.checkpoints import Pretrained
from modern_nets.checks import check_attention_mask, check_integers, check_new_head, check_range, check_token_ids
from modern_nets.config import Config
from modern_nets.files import Checkpoint
from modern_nets.layers import ACTIVATIONS, MLP, cross_entropy, init_weights
from modern_nets.layout import Layout


@dataclass(frozen=True, kw_only=True)
class BertConfig(Config):
    """Настройки BERT; по умолчанию — BERT-base.

    Attributes:
        vocab_size: Размер словаря V.
        max_tokens: Длина таблицы позиций: больше токенов модель не прочтёт.
        n_segments: Сколько бывает отрезков текста: [CLS] первый [SEP] второй [SEP].
        d_model: Ширина модели D.
        n_layers: Число блоков.
        n_heads: Число голов внимания H.
        d_mlp: Ширина скрытого слоя MLP.
        activation: Функция активации MLP.
        dropout: Доля обнуляемых чисел после эмбеддингов и слоёв.
        attention_dropout: Доля обнуляемых весов внимания.
        layer_norm_eps: Слагаемое под корнем в LayerNorm.
        pad_token_id: Номер заполнителя: его строка в таблице эмбеддингов не учится; None — учатся все.
        pooler: Есть ли слой над [CLS], обученный на предсказании следующего предложения.
        n_classes: Классов у классификатора; 0 — без него.
    """

    vocab_size: int = 30522
    max_tokens: int = 512
    n_segments: int = 2
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_mlp: int = 3072
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    pooler: bool = True
    n_classes: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pad_token_id is not None and self.pad_token_id >= self.vocab_size:
            raise ValueError(f"pad_token_id = {self.pad_token_id} вне словаря из {self.vocab_size} токенов.")


class BertOutput(NamedTuple):
    """Что возвращает тело BERT.

    Attributes:
        last_hidden_state: Токены после последнего блока, форма (B, T, D).
        pooler_output: Вектор над [CLS], форма (B, D); None, если слоя pooler нет.
        attentions: Веса внимания каждого блока, формы (B, H, T, T); None, если их не просили.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None
    attentions: tuple[Tensor, ...] | None


class BertHeadOutput(NamedTuple):
    """Что возвращает BERT с головой.

    Attributes:
        logits: Оценки: (B, T, V) у предсказания закрытых токенов, (B, n_classes) у классификатора.
        loss: Перекрёстная энтропия в натах; None, если ответов не дали.
        attentions: Веса внимания каждого блока, формы (B, H, T, T); None, если их не просили.
    """

    logits: Tensor
    loss: Tensor | None
    attentions: tuple[Tensor, ...] | None


class BertBlock(nn.Module):
    """Блок энкодера: нормализация стоит после сложения (post-norm), как в статье 2017 года.

        x ──┬── attention ──(+)── norm_1 ──┬── mlp ──(+)── norm_2 ──
            └────────────────┘             └──────────┘

    Источник: Vaswani et al., 2017, рисунок 1 слева.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, dropout=config.attention_dropout)
        self.norm_1 = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.mlp = MLP(config.d_model, config.d_mlp, activation=config.activation)
        self.norm_2 = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None, attentions: list[Tensor] | None = None) -> Tensor:
        """Пропускает токены через блок.

        Args:
            x: Токены, форма (B, T, D).
            mask: Булева маска, приводимая к (B, H, T, T); True — смотреть можно.
            attentions: Список, в который дописать веса внимания.

        Returns:
            Тензор (B, T, D).
        """
        x = self.norm_1(x + self.dropout(self.attention(x, mask=mask, attentions=attentions)))
        return self.norm_2(x + self.dropout(self.mlp(x)))


class Bert(Pretrained):
    """Тело BERT: эмбеддинги, блоки энкодера и слой над [CLS].

    Args:
        config: Настройки; по умолчанию BERT-base.

    Источник: Devlin et al., 2018, раздел 3 и рисунок 2.
    """

    CONFIG: ClassVar[type[BertConfig]] = BertConfig
    LAYOUT: ClassVar[Layout] = formats.BERT
    ARCHITECTURE: ClassVar[str] = "BertModel"
    config: BertConfig

    def __init__(self, config: BertConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or BertConfig()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id)
        self.position_embedding = nn.Embedding(config.max_tokens, config.d_model)
        self.segment_embedding = nn.Embedding(config.n_segments, config.d_model)
        self.embedding_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(BertBlock(config) for _ in range(config.n_layers))
        self.pooler = nn.Linear(config.d_model, config.d_model) if config.pooler else None
        init_weights(self)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> BertOutput:
        """Читает тексты целиком: каждый токен видит и левых, и правых соседей.

        Args:
            input_ids: Номера токенов, форма (B, T).
            attention_mask: 1 — настоящий токен, 0 — заполнитель; форма (B, T). Без неё настоящие все.
            token_type_ids: Номера отрезков, форма (B, T). Без них отрезок один, нулевой.
            return_attention: Вернуть и веса внимания; оно считается тогда по формуле.

        Returns:
            Токены после последнего блока, вектор над [CLS] и веса, если просили. Строка, целиком
            из заполнителей, даёт числа без смысла, но не NaN.

        Raises:
            ValueError: не те формы, номер токена или отрезка вне таблицы, токенов больше max_tokens.
        """
        attentions: list[Tensor] | None = [] if return_attention else None
        mask = None if attention_mask is None else padding_mask(attention_mask)
        x = self.embed(input_ids, token_type_ids)
        check_attention_mask(attention_mask, n_batch=x.shape[0], n_tokens=x.shape[1])
        for block in self.blocks:
            x = block(x, mask, attentions)
        pooled = None if self.pooler is None else torch.tanh(self.pooler(x[:, 0]))  # (B, D)
        return BertOutput(x, pooled, None if attentions is None else tuple(attentions))

    def embed(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Вход первого блока: сумма трёх эмбеддингов — токена, позиции и отрезка.

        Args:
            input_ids: Номера токенов, форма (B, T).
            token_type_ids: Номера отрезков, форма (B, T).

        Returns:
            Тензор (B, T, D).

        Raises:
            ValueError: номер вне таблицы или токенов больше max_tokens.
        """
        config = self.config
        check_token_ids(input_ids, vocab_size=config.vocab_size, max_tokens=config.max_tokens)
        positions = self.position_embedding.weight[: input_ids.shape[1]]  # (T, D)
        segments = self.segment_embedding.weight[0]  # (D,)
        if token_type_ids is not None:
            if token_type_ids.shape != input_ids.shape:
                raise ValueError(
                    f"Номера отрезков формы {tuple(token_type_ids.shape)}, а токенов — {tuple(input_ids.shape)}."
                )
            check_integers("Номера отрезков", token_type_ids)
            check_range("Номер отрезка", token_type_ids, config.n_segments, "таблицы")
            segments = self.segment_embedding(token_type_ids)  # (B, T, D)
        return self.dropout(self.embedding_norm(self.token_embedding(input_ids) + segments + positions))

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> BertConfig:
        """В файлах, где тело обучали без pooler, его нет и у нас."""
        has_pooler = any(layout.plain(name).startswith("pooler.") for name in checkpoint.tensors)
        return BertConfig(**layout.read_config(checkpoint.config), pooler=has_pooler)


class BertForMaskedLM(Pretrained):
    """BERT, который угадывает закрытые токены (masked language modelling).

    Последняя матрица — та же таблица эмбеддингов, поэтому своих весов V × D у головы нет.

    Args:
        config: Настройки; pooler не нужен и не строится.

    Источник: Devlin et al., 2018, раздел 3.1, задача № 1; голова с преобразованием — из кода авторов.
    """

    CONFIG: ClassVar[type[BertConfig]] = BertConfig
    LAYOUT: ClassVar[Layout] = formats.BERT_MASKED_LM
    ARCHITECTURE: ClassVar[str] = "BertForMaskedLM"
    config: BertConfig

    def __init__(self, config: BertConfig | None = None) -> None:
        super().__init__()
        self.config = config = replace(config or BertConfig(), pooler=False)
        self.bert = Bert(config)
        self.transform = nn.Linear(config.d_model, config.d_model)
        self.transform_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_eps)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.activation = ACTIVATIONS[config.activation]
        init_weights(self.transform)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> BertHeadOutput:
        """Оценивает для каждого места, какой токен там стоял.

        Args:
            input_ids: Номера токенов, часть заменена на [MASK], форма (B, T).
            attention_mask: 1 — настоящий токен, 0 — заполнитель, форма (B, T).
            token_type_ids: Номера отрезков, форма (B, T).
            labels: Какие токены стояли на самом деле, форма (B, T); −100 — не спрашивать.
            return_attention: Вернуть и веса внимания.

        Returns:
            Логиты (B, T, V), потери и веса.

        Raises:
            ValueError: не те формы или номера вне таблиц.
        """
        x, _, attentions = self.bert(input_ids, attention_mask, token_type_ids, return_attention=return_attention)
        x = self.transform_norm(self.activation(self.transform(x)))  # (B, T, D)
        logits = F.linear(x, self.bert.token_embedding.weight, self.output_bias)  # (B, T, V)
        return BertHeadOutput(logits, None if labels is None else cross_entropy(logits, labels), attentions)

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> BertConfig:
        return BertConfig(**layout.read_config(checkpoint.config), pooler=False)


class BertForSequenceClassification(Pretrained):
    """BERT с линейным классификатором над [CLS].

    Args:
        config: Настройки; n_classes — сколько классов.

    Источник: Devlin et al., 2018, раздел 4.1.
    """

    CONFIG: ClassVar[type[BertConfig]] = BertConfig
    LAYOUT: ClassVar[Layout] = formats.BERT_CLASSIFIER
    ARCHITECTURE: ClassVar[str] = "BertForSequenceClassification"
    config: BertConfig

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        # Классификатор смотрит на вектор слоя pooler: без этого слоя он не работает.
        self.config = config = replace(config, pooler=config.pooler or config.n_classes > 0)
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.d_model, config.n_classes) if config.n_classes else None
        if self.classifier is not None:
            init_weights(self.classifier)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> BertHeadOutput:
        """Оценивает классы текстов.

        Args:
            input_ids: Номера токенов, форма (B, T).
            attention_mask: 1 — настоящий токен, 0 — заполнитель, форма (B, T).
            token_type_ids: Номера отрезков, форма (B, T).
            labels: Номера классов, форма (B,).
            return_attention: Вернуть и веса внимания.

        Returns:
            Логиты (B, n_classes), потери и веса.

        Raises:
            ValueError: не те формы, номера вне таблиц, классификатора ещё нет.
        """
        if self.classifier is None or self.bert.pooler is None:
            raise ValueError("У модели ещё нет классификатора: добавьте его методом new_head(n_classes).")
        body = self.bert(input_ids, attention_mask, token_type_ids, return_attention=return_attention)
        logits = self.classifier(self.dropout(body.pooler_output))  # (B, n_classes)
        return BertHeadOutput(logits, None if labels is None else cross_entropy(logits, labels), body.attentions)

    def new_head(self, n_classes: int) -> Self:
        """Ставит новый, необученный классификатор; если нет слоя pooler, то и его.

        Args:
            n_classes: Сколько классов.

        Returns:
            Та же модель.
        """
        check_new_head(n_classes)
        weight, d_model = self.bert.token_embedding.weight, self.config.d_model
        self.config = replace(self.config, n_classes=n_classes, pooler=True)
        if self.bert.pooler is None:
            self.bert.pooler = nn.Linear(d_model, d_model, device=weight.device, dtype=weight.dtype)
            self.bert.config = self.config
            init_weights(self.bert.pooler)
        self.classifier = nn.Linear(d_model, n_classes, device=weight.device, dtype=weight.dtype)
        init_weights(self.classifier)
        self.forget_labels()
        return self

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | Path, *, n_classes: int | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """Загружает классификатор или тело, к которому надо приставить новый классификатор.

        Args:
            name_or_folder: Папка или имя на Hugging Face.
            n_classes: Поставить новый классификатор на столько классов; None — взять тот, что в файле.
            dtype: Тип чисел; None — как сказано в config.json, а если не сказано, как в файле.

        Returns:
            Модель в режиме eval.

        Raises:
            FileNotFoundError: папки нет, имя не нашлось.
            ValueError: файл повреждён, в нём не те тензоры или нет классификатора, а n_classes не задано.
        """
        model = super().from_pretrained(name_or_folder, dtype=dtype)
        if n_classes is not None:
            return model.new_head(n_classes)
        if model.classifier is None:
            raise ValueError(
                f"В {name_or_folder} нет классификатора. Чтобы приставить новый, задайте n_classes: сколько классов."
            )
        return model

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> BertConfig:
        return replace(Bert._configure(checkpoint, layout), n_classes=checkpoint.n_rows("classifier.weight"))


PRESETS: dict[str, BertConfig] = {"bert-base-uncased": BertConfig()}
"""Готовые настройки по именам Hugging Face."""
Bert.PRESETS = BertForMaskedLM.PRESETS = BertForSequenceClassification.PRESETS = PRESETS


def bert_base(**changes: Any) -> Bert:
    """Необученный BERT-base; `changes` — поля `BertConfig`, которые надо заменить."""
    return Bert(replace(PRESETS["bert-base-uncased"], **changes))
