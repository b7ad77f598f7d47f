"""Внимание: формула, многоголовый слой, KV-кэш и две маски.

Буквы в комментариях о форме тензоров: B — примеры в пакете, T — токены-запросы, S — токены-ключи,
D — ширина модели, H — головы, K — ширина одной головы (D = H · K).

Источник: Vaswani et al., «Attention Is All You Need», 2017, раздел 3.2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    dropout_p: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Внимание как взвешенное среднее: softmax(QKᵀ / √K) · V.

    Написано по формуле, чтобы были видны веса. Слой `MultiHeadAttention` считает то же самое
    слитной функцией PyTorch, если веса не нужны.

    Args:
        q: Запросы, форма (..., T, K).
        k: Ключи, форма (..., S, K).
        v: Значения, форма (..., S, любая ширина).
        mask: Булева маска, приводимая к форме (..., T, S): True — смотреть можно, False — нельзя.
            Полярность та же, что у `F.scaled_dot_product_attention`, и обратная той,
            что у `nn.MultiheadAttention`.
        dropout_p: Доля весов, обнуляемых случайно. Ноль — ничего не обнулять.

    Returns:
        Пара (выход, веса): формы (..., T, ширина значений) и (..., T, S). Веса каждой строки
        неотрицательны и в сумме дают 1. Строка, которой маска запретила всё, получает нулевые
        веса и нулевой выход.

    Raises:
        ValueError: ширина запросов и ключей разная, число ключей и значений разное или маска не булева.

    Источник: Vaswani et al., 2017, формула (1).
    """
    _check_inputs(q, k, v, mask)
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is not None:
        # Конечное число вместо −∞: softmax полностью закрытой строки остаётся числом, а не NaN.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
    weights = F.dropout(weights, dropout_p)
    return weights @ v, weights


class MultiHeadAttention(nn.Module):
    """Многоголовое внимание (multi-head attention).

    Ширина D делится между H головами: голова видит K = D / H чисел каждого токена, поэтому
    от числа голов количество параметров не зависит: четыре проекции D × D со сдвигами.

    Отличие от статьи: проекции здесь со сдвигами (bias), как в BERT, GPT-2 и ViT.

    Args:
        d_model: Ширина модели D.
        n_heads: Число голов H; D должно делиться на H.
        dropout: Доля весов внимания, обнуляемых при обучении.

    Raises:
        ValueError: d_model не делится на n_heads.

    Источник: Vaswani et al., 2017, раздел 3.2.2.
    """

    def __init__(self, d_model: int, n_heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(
                f"d_model = {d_model} не делится на n_heads = {n_heads}: каждой голове нужна равная доля ширины. "
                f"Возьмите n_heads из делителей {d_model}."
            )
        self.n_heads = n_heads
        self.dropout = dropout
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        cache: "KVCache | None" = None,
        attentions: list[Tensor] | None = None,
    ) -> Tensor:
        """Каждый токен `x` собирает сведения с токенов `context`.

        Args:
            x: Токены, которые спрашивают, форма (B, T, D).
            context: Токены, которые отвечают, форма (B, S, D). Без него токены спрашивают
                друг друга: это само-внимание (self-attention), S = T.
            mask: Булева маска, приводимая к форме (B, H, T, S); True — смотреть можно.
            is_causal: Каждый токен видит только себя и прошлое; сочетается с `mask`.
            cache: Ключи и значения прочитанных раньше токенов. Слой допишет в кэш свои, и тогда
                S считает и прошлые токены, и новые.
            attentions: Список, в конец которого слой допишет свои веса (B, H, T, S). С ним внимание
                считается по формуле, без слитной функции.

        Returns:
            Тензор (B, T, D).

        Raises:
            ValueError: ширина входа не D, формы не сошлись, маска не булева или в кэше кончилось место.
        """
        context = x if context is None else context
        if x.dim() != 3 or context.dim() != 3 or len(x) != len(context):
            raise ValueError(
                f"Слой ждёт токены (B, T, D) и контекст (B, S, D), а пришли {tuple(x.shape)} и {tuple(context.shape)}."
            )
        d_model = self.query.in_features
        if x.shape[-1] != d_model or context.shape[-1] != d_model:
            raise ValueError(
                f"Слой ждёт токены ширины {d_model}, а пришли тензоры {tuple(x.shape)} и {tuple(context.shape)}."
            )
        q = self._split_heads(self.query(x))  # (B, H, T, K)
        k = self._split_heads(self.key(context))  # (B, H, S, K)
        v = self._split_heads(self.value(context))  # (B, H, S, K)
        if cache is not None:
            k, v = cache.append(k, v)
        n_queries, n_keys = q.shape[-2], k.shape[-2]
        # Свой флаг is_causal есть и у слитной функции, но он прижимает маску к первому ключу, а не к последнему:
        # при запросах короче ключей (кэш) запросы увидели бы не то прошлое. Единственному запросу видно всё.
        fused_causal = is_causal and mask is None and attentions is None and n_queries == n_keys
        if is_causal and n_queries > 1 and not fused_causal:
            causal = causal_mask(n_queries, n_past=n_keys - n_queries, device=x.device)
            mask = causal if mask is None else mask & causal
        dropout_p = self.dropout if self.training else 0.0
        if attentions is not None:
            heads, weights = attention(q, k, v, mask, dropout_p=dropout_p)
            attentions.append(weights)
        else:
            _check_inputs(q, k, v, mask)
            heads = F.scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal=fused_causal)
        return self.output(heads.transpose(1, 2).flatten(-2))  # (B, H, T, K) → (B, T, D)

    def _split_heads(self, x: Tensor) -> Tensor:
        n_batch, n_tokens, _ = x.shape
        return x.view(n_batch, n_tokens, self.n_heads, -1).transpose(1, 2)  # (B, T, D) → (B, H, T, K)


class KVCache:
    """Ключи и значения уже прочитанных токенов (KV cache), один кэш на слой внимания.

    Прошлое под причинной маской не меняется, поэтому его ключи и значения считают один раз. Место занимается
    сразу на все токены, и дописать новый — значит записать два столбца, а не скопировать прошлое.

    Args:
        max_tokens: На сколько токенов хватит места.

    Attributes:
        n_tokens: Сколько токенов записано.

    Raises:
        ValueError: места меньше чем на один токен.

    Источник: Pope et al., «Efficiently Scaling Transformer Inference», 2022 (arXiv:2211.05102), раздел 2.1.
    """

    def __init__(self, max_tokens: int) -> None:
        if max_tokens < 1:
            raise ValueError(f"Кэшу нужно место хотя бы на один токен, а пришло max_tokens = {max_tokens}.")
        self.max_tokens = max_tokens
        self.n_tokens = 0
        self._keys: Tensor | None = None  # (B, H, max_tokens, K)
        self._values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Дописывает новые токены и возвращает все.

        Args:
            keys: Ключи новых токенов, форма (B, H, T, K).
            values: Значения новых токенов, той же формы.

        Returns:
            Ключи и значения всех записанных токенов, формы (B, H, n_tokens, K).

        Raises:
            ValueError: токены не помещаются, их формы или тип чисел не те, что у записанных.
        """
        n_batch, n_heads, n_new, d_head = keys.shape
        end = self.n_tokens + n_new
        if end > self.max_tokens:
            raise ValueError(
                f"В кэше место на {self.max_tokens} токенов: записано {self.n_tokens}, пришло ещё {n_new}."
            )
        if self._keys is None or self._values is None:
            self._keys = keys.new_empty(n_batch, n_heads, self.max_tokens, d_head)
            self._values = values.new_empty(n_batch, n_heads, self.max_tokens, d_head)
        if keys.shape != values.shape or keys.dtype != self._keys.dtype:
            raise ValueError(
                f"В кэше числа {self._keys.dtype}, пришли ключи {tuple(keys.shape)} из {keys.dtype} "
                f"и значения {tuple(values.shape)}: тип и формы должны совпадать."
            )
        if (n_batch, n_heads, d_head) != (*self._keys.shape[:2], self._keys.shape[-1]):
            raise ValueError(
                f"В кэше ключи формы {tuple(self._keys.shape)}, а пришли {tuple(keys.shape)}: "
                "пакет, головы и ширина должны совпадать. Для нового пакета нужен новый кэш."
            )
        if self._keys.is_inference() and not torch.is_inference_mode_enabled():
            raise ValueError("Кэш начат под torch.inference_mode(): и продолжать его надо под ним же.")
        # narrow — те же срезы по оси токенов, но без разбора индексов: на малой модели он заметен.
        self._keys.narrow(2, self.n_tokens, n_new).copy_(keys)
        self._values.narrow(2, self.n_tokens, n_new).copy_(values)
        self.n_tokens = end
        return self._keys.narrow(2, 0, end), self._values.narrow(2, 0, end)


def causal_mask(n_tokens: int, *, n_past: int = 0, device: torch.device | str | None = None) -> Tensor:
    """Причинная маска (causal mask): токен видит себя и всё, что левее.

    Args:
        n_tokens: Сколько токенов спрашивает, T.
        n_past: Сколько токенов прочитано раньше и лежит в кэше; они видны всем.
        device: Где создать маску.

    Returns:
        Булев тензор (T, n_past + T): строка — кто смотрит, столбец — на кого. Без прошлого True стоит
        на диагонали и ниже.

    Raises:
        ValueError: n_tokens меньше единицы или n_past меньше нуля.
    """
    if n_tokens < 1:
        raise ValueError(f"Длина последовательности — {n_tokens}, а нужен хотя бы один токен.")
    if n_past < 0:
        raise ValueError(f"Прошлых токенов не может быть меньше нуля, а пришло n_past = {n_past}.")
    return torch.ones(n_tokens, n_past + n_tokens, dtype=torch.bool, device=device).tril(n_past)


def padding_mask(attention_mask: Tensor) -> Tensor:
    """Маска дополнения (padding mask): на токены-заполнители не смотрит никто.

    Args:
        attention_mask: Маска токенизатора, форма (B, S): 1 — настоящий токен, 0 — заполнитель [PAD].

    Returns:
        Булев тензор (B, 1, 1, S): у каждого примера пакета своя маска, общая для всех голов и запросов.

    Raises:
        ValueError: у маски не две оси.
    """
    if attention_mask.dim() != 2:
        raise ValueError(
            f"Маска токенизатора должна иметь форму (B, S), а пришла {tuple(attention_mask.shape)}. "
            "Для одной последовательности добавьте ось: attention_mask[None]."
        )
    return attention_mask.bool()[:, None, None, :]


def _check_inputs(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> None:
    """Проверяет, что формы запросов, ключей и значений сходятся, а маска булева.

    Raises:
        ValueError: с обоими размерами, которые не сошлись.
    """
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"Ширина запросов — {q.shape[-1]}, ключей — {k.shape[-1]}: скалярное произведение требует равных."
        )
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"Ключей — {k.shape[-2]}, значений — {v.shape[-2]}: у каждого ключа должно быть значение.")
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(
            f"Маска должна быть булевой (True — смотреть можно), а пришла {mask.dtype}: возьмите mask.bool()."
        )
    if mask is not None:
        expected = (*q.shape[:-1], k.shape[-2])
        pairs = zip(reversed(mask.shape), reversed(expected), strict=False)
        if mask.dim() < 2 or any(size not in (1, whole) for size, whole in pairs):
            raise ValueError(f"Маска формы {tuple(mask.shape)} не приводится к форме {expected}: (..., T, S).")
