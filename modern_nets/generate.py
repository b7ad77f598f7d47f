"""Генерация текста: как из оценок следующего токена получаются слова.

Буквы в комментариях о форме тензоров: B — примеры в пакете, T — токены, V — размер словаря.
"""

from collections.abc import Callable, Collection, Iterator

import torch
from torch import Tensor

from modern_nets.checks import check_attention_mask, check_max_new_tokens, check_stop_tokens, check_token_ids
from modern_nets.gpt2 import GPT2


def generate(
    model: GPT2,
    input_ids: Tensor,
    max_new_tokens: int,
    *,
    attention_mask: Tensor | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
    on_token: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """Продолжает тексты, дописывая по одному токену.

    Args:
        model: Языковая модель; в режиме train её dropout сделал бы продолжение случайным.
        input_ids: Начала текстов, форма (B, T). Короткие дополняют слева.
        max_new_tokens: Сколько токенов дописать самое большее.
        attention_mask: 1 — настоящий токен, 0 — заполнитель, форма (B, T).
        temperature: 0 — всегда брать самый вероятный токен (жадно); больше — случайнее.
        top_k: Выбирать из стольких самых вероятных; None — изо всех.
        top_p: Выбирать из самых вероятных, которые вместе набирают такую долю; None — изо всех.
        stop_tokens: Токены, после которых текст закончен; строка дополняется первым из них.
        generator: Источник случайности; с одним и тем же зерном продолжение одно и то же.
        on_token: Функция, которой отдаётся каждый новый столбец токенов, форма (B,).

    Returns:
        Начала вместе с продолжениями, форма (B, T + не больше max_new_tokens).

    Raises:
        ValueError: не помещается в таблицу позиций, дополнено справа, не те формы или доли.
    """
    columns = [input_ids]
    for token in stream(
        model,
        input_ids,
        max_new_tokens,
        attention_mask=attention_mask,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        stop_tokens=stop_tokens,
        generator=generator,
    ):
        columns.append(token[:, None])
        if on_token is not None:
            on_token(token)
    return torch.cat(columns, dim=1)


def stream(
    model: GPT2,
    input_ids: Tensor,
    max_new_tokens: int,
    *,
    attention_mask: Tensor | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """То же, что `generate`, но отдаёт токены по мере готовности.

    Args:
        model: Языковая модель.
        input_ids: Начала текстов, форма (B, T).
        max_new_tokens: Сколько токенов дописать самое большее.
        attention_mask: 1 — настоящий токен, 0 — заполнитель, форма (B, T).
        temperature: 0 — жадно; больше — случайнее.
        top_k: Выбирать из стольких самых вероятных.
        top_p: Выбирать из самых вероятных, которые вместе набирают такую долю.
        stop_tokens: Токены, после которых текст закончен.
        generator: Источник случайности.

    Returns:
        Итератор по новым столбцам токенов, форма каждого (B,). Проверки — до первого столбца.

    Raises:
        ValueError: не помещается в таблицу позиций, дополнено справа, не те формы или доли.
    """
    check_token_ids(input_ids, vocab_size=model.config.vocab_size)
    check_stop_tokens(stop_tokens, vocab_size=model.config.vocab_size)
    check_attention_mask(attention_mask, n_batch=input_ids.shape[0], n_tokens=input_ids.shape[1])
    _check_sampling(temperature, top_k, top_p)
    n_prompt, max_tokens = input_ids.shape[1], model.config.max_tokens
    check_max_new_tokens(max_new_tokens)
    if n_prompt + max_new_tokens > max_tokens:
        raise ValueError(
            f"Начало из {n_prompt} токенов и {max_new_tokens} новых — это {n_prompt + max_new_tokens}, "
            f"а таблица позиций рассчитана на {max_tokens}. Сократите начало или max_new_tokens."
        )
    if attention_mask is not None and not attention_mask[:, -1].all():
        raise ValueError(
            "Последний столбец attention_mask содержит нули: тексты дополнены справа, и продолжались бы заполнители. "
            'Дополняйте слева (у токенизатора: padding_side="left").'
        )

    def tokens() -> Iterator[Tensor]:
        mask = attention_mask
        caches = model.new_caches(n_prompt + max_new_tokens)
        finished = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        stops = torch.tensor(list(stop_tokens), dtype=input_ids.dtype, device=input_ids.device)
        unread = input_ids
        for _ in range(max_new_tokens):
            with torch.inference_mode():
                logits = model(unread, mask, caches=caches, logits_to_keep=1).logits[:, -1]  # (B, V)
                token = pick_token(logits, temperature, top_k=top_k, top_p=top_p, generator=generator)
                if len(stops):
                    token = torch.where(finished, stops[0], token)
                    finished |= torch.isin(token, stops)
            yield token.clone()
            if len(stops) and finished.all():
                return
            unread = token[:, None]
            mask = None if mask is None else torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)

    return tokens()


def pick_token(
    logits: Tensor,
    temperature: float = 0.0,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Выбирает следующий токен.

    Args:
        logits: Оценки, форма (B, V) или (V,).
        temperature: 0 — самый вероятный; больше — случайно, с вероятностями `next_token_probabilities`.
        top_k: Выбирать из стольких самых вероятных.
        top_p: Выбирать из самых вероятных, которые вместе набирают такую долю.
        generator: Источник случайности.

    Returns:
        Номера токенов, форма (B,) или одно число.

    Raises:
        ValueError: температура, top_k или top_p вне своих границ.
    """
    _check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = next_token_probabilities(logits, temperature, top_k=top_k, top_p=top_p)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)


def next_token_probabilities(
    logits: Tensor, temperature: float = 1.0, *, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Вероятности следующего токена после температуры и отсечений.

    Логиты делятся на температуру; остаются `top_k` самых вероятных; из них — самые вероятные, которые
    вместе набирают долю `top_p` (nucleus sampling); вероятности оставшихся приводятся к сумме 1.

    Args:
        logits: Оценки, форма (B, V) или (V,).
        temperature: Больше нуля; 1 — как обучено.
        top_k: Сколько самых вероятных оставить; None — все. При равных оценках на границе остаются все равные.
        top_p: Какую долю вероятности оставить; None — всю. Самый вероятный токен остаётся всегда.

    Returns:
        Тензор той же формы с суммой 1 в каждой строке; у отсечённых токенов ноль.

    Raises:
        ValueError: температура не больше нуля, top_k меньше единицы, top_p вне (0, 1].

    Источник: Holtzman et al., «The Curious Case of Neural Text Degeneration», 2019 (arXiv:1904.09751), раздел 3.1.
    """
    _check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        raise ValueError("Температура 0 означает жадный выбор, и вероятностей у него нет: возьмите больше нуля.")
    logits = logits.float()
    logits = (logits - logits.max(dim=-1, keepdim=True).values) / temperature  # вычитание бережёт от бесконечностей
    if top_k is not None and top_k < logits.shape[-1]:
        last_kept = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < last_kept, -torch.inf)
    probabilities = logits.softmax(dim=-1)
    if top_p is None:
        return probabilities
    descending, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = descending.cumsum(dim=-1) - descending  # сколько набрали токены вероятнее этого
    kept = torch.zeros_like(probabilities).scatter(-1, order, descending * (before < top_p))
    return kept / kept.sum(dim=-1, keepdim=True)


def _check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"Температура должна быть числом от нуля, а пришла {temperature}.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k — сколько токенов оставить, хотя бы один, а пришло {top_k}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p — доля больше 0 и не больше 1, а пришла {top_p}.")
    if temperature == 0 and (top_k, top_p) != (None, None):
        raise ValueError(
            f"Температура 0 — жадный выбор, и top_k = {top_k}, top_p = {top_p} на него не действуют. "
            "Чтобы выбирать случайно, задайте temperature=1.0; чтобы жадно — уберите их."
        )
