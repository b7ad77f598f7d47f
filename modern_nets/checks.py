"""Проверки входов моделей: ошибка называет оба размера раньше, чем начнётся работа."""

from collections.abc import Collection

import torch
from torch import Tensor


def check_token_ids(input_ids: Tensor, *, vocab_size: int, max_tokens: int | None = None, n_past: int = 0) -> None:
    """Проверяет номера токенов.

    Args:
        input_ids: Номера токенов, форма (B, T).
        vocab_size: Размер словаря V.
        max_tokens: Длина таблицы позиций; None — таблицы нет, длина не ограничена.
        n_past: Сколько токенов прочитано раньше (лежит в кэше).

    Raises:
        ValueError: не тензор, не две оси, пусто, не целые числа, номер вне словаря или последовательность
            длиннее таблицы.
    """
    if not isinstance(input_ids, Tensor):
        raise ValueError(f"Номера токенов должны быть тензором (B, T), а пришёл {type(input_ids).__name__}.")
    if input_ids.dim() != 2:
        raise ValueError(
            f"Номера токенов должны иметь форму (B, T), а пришла {tuple(input_ids.shape)}. "
            "Для одной последовательности добавьте ось: input_ids[None]."
        )
    if input_ids.numel() == 0:
        raise ValueError(f"Пустой вход формы {tuple(input_ids.shape)}: нужен хотя бы один пример и один токен.")
    check_integers("Номера токенов", input_ids)
    n_tokens = n_past + input_ids.shape[1]
    if max_tokens is not None and n_tokens > max_tokens:
        past = f" ({n_past} из них — в кэше)" if n_past else ""
        raise ValueError(
            f"В последовательности {n_tokens} токенов{past}, а таблица позиций рассчитана на {max_tokens}. "
            "Обрежьте вход (у токенизатора: truncation=True, max_length=…) или разбейте его на части."
        )
    check_range("Номер токена", input_ids, vocab_size, "словаря")


def check_integers(what: str, numbers: Tensor) -> None:
    """Проверяет, что номера — целые числа: по дробным и по булевым строку таблицы не выбрать.

    Args:
        what: Чьи номера, с большой буквы: «Номера токенов».
        numbers: Тензор любой формы.

    Raises:
        ValueError: числа не torch.int64 и не torch.int32.
    """
    if numbers.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"{what} должны быть целыми (torch.int64), а пришли {numbers.dtype}.")


def check_range(what: str, numbers: Tensor, size: int, whose: str) -> None:
    """Проверяет, что номера лежат в границах таблицы.

    Args:
        what: Чей номер, с большой буквы: «Номер токена».
        numbers: Целые числа любой формы.
        size: Сколько строк в таблице.
        whose: Чьи границы нарушены, в родительном падеже: «словаря».

    Raises:
        ValueError: есть номер меньше нуля или не меньше `size`.
    """
    if numbers.is_meta:
        return
    low, high = (int(bound) for bound in torch.aminmax(numbers))
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ValueError(f"{what} {wrong} вне {whose}: допустимы числа от 0 до {size - 1}.")


def check_stop_tokens(stop_tokens: Collection[int], *, vocab_size: int) -> None:
    """Проверяет токены, после которых текст закончен: номера вне словаря модель не напишет никогда.

    Args:
        stop_tokens: Номера токенов.
        vocab_size: Размер словаря V.

    Raises:
        ValueError: пришёл не набор номеров или номер вне словаря.
    """
    if not isinstance(stop_tokens, Collection):
        raise ValueError(f"stop_tokens — набор номеров, например [{stop_tokens}], а пришло {stop_tokens!r}.")
    if stop_tokens:
        check_range("Номер токена", torch.tensor(list(stop_tokens)), vocab_size, "словаря")


def check_max_new_tokens(max_new_tokens: int) -> None:
    """Проверяет, что дописать просят хотя бы один токен.

    Args:
        max_new_tokens: Сколько токенов дописать.

    Raises:
        ValueError: меньше одного.
    """
    if max_new_tokens < 1:
        raise ValueError(f"Дописать надо хотя бы один токен, а пришло max_new_tokens = {max_new_tokens}.")


def check_attention_mask(attention_mask: Tensor | None, *, n_batch: int, n_tokens: int) -> None:
    """Проверяет маску токенизатора.

    Args:
        attention_mask: Маска (B, T) или None.
        n_batch: Примеров во входе, B.
        n_tokens: Токенов, которых касается маска, вместе с лежащими в кэше.

    Raises:
        ValueError: форма маски не (B, T) или в ней не только нули и единицы.
    """
    if attention_mask is None:
        return
    if attention_mask.shape != (n_batch, n_tokens):
        raise ValueError(
            f"Маска attention_mask формы {tuple(attention_mask.shape)} не подходит к токенам: "
            f"ожидалась форма {(n_batch, n_tokens)}."
        )
    if attention_mask.dtype == torch.bool or attention_mask.is_meta:
        return
    wrong = attention_mask[(attention_mask != 0) & (attention_mask != 1)]
    if len(wrong):
        raise ValueError(
            f"В маске attention_mask стоит {wrong[0].item()}, а допустимы 1 — настоящий токен и 0 — заполнитель. "
            "Маску-слагаемое (0 и −∞) переведите: attention_mask == 0."
        )


def check_images(pixel_values: Tensor, *, n_channels: int) -> None:
    """Проверяет пакет картинок.

    Args:
        pixel_values: Картинки, форма (B, C, H, W).
        n_channels: Сколько каналов ждёт модель.

    Raises:
        ValueError: не тензор, не четыре оси, пусто, не те каналы, пиксели — целые числа.
    """
    if not isinstance(pixel_values, Tensor):
        raise ValueError(f"Картинки должны быть тензором (B, C, H, W), а пришёл {type(pixel_values).__name__}.")
    shape = tuple(pixel_values.shape)
    if pixel_values.dim() != 4:
        raise ValueError(
            f"Картинки должны иметь форму (B, C, H, W), а пришла {shape}. "
            "Для одной картинки добавьте ось: pixel_values[None]."
        )
    if pixel_values.numel() == 0:
        raise ValueError(f"Пустой вход формы {shape}: нужна хотя бы одна картинка.")
    if shape[1] != n_channels:
        raise ValueError(
            f"Модель ждёт картинки с {n_channels} каналами, а пришла форма {shape}: каналов {shape[1]}. "
            'Для картинки из файла поможет image.convert("RGB"), для порядка (B, H, W, C) — permute(0, 3, 1, 2).'
        )
    if not pixel_values.is_floating_point():
        raise ValueError(
            f"Пиксели должны быть дробными числами, а пришли {pixel_values.dtype}: "
            "переведите байты в доли (x / 255) и нормируйте."
        )


def check_new_head(n_classes: int) -> None:
    """Проверяет, что у новой головы есть хотя бы один класс.

    Args:
        n_classes: Сколько классов.

    Raises:
        ValueError: классов меньше одного.
    """
    if n_classes < 1:
        raise ValueError(f"Новой голове нужен хотя бы один класс, а пришло n_classes = {n_classes}.")


def check_labels(labels: Tensor, expected_shape: torch.Size, n_classes: int) -> None:
    """Проверяет правильные ответы.

    Args:
        labels: Номера классов; −100 означает «не учитывать».
        expected_shape: Какой должна быть форма.
        n_classes: Сколько классов (или слов в словаре).

    Raises:
        ValueError: класс один, не та форма, не целые числа или номер вне классов.
    """
    if n_classes < 2:
        raise ValueError("Класс один, и перекрёстная энтропия всегда ноль: потери посчитайте сами по logits.")
    if labels.shape != expected_shape:
        raise ValueError(f"Ответы labels формы {tuple(labels.shape)}, а ожидались формы {tuple(expected_shape)}.")
    if labels.dtype != torch.int64:
        raise ValueError(f"Ответы labels должны быть номерами классов (torch.int64), а пришли {labels.dtype}.")
    if labels.is_meta:
        return
    counted = labels[labels != -100]
    if counted.numel() == 0:
        raise ValueError("Среди ответов labels нет ни одного учитываемого: все равны −100, и среднее не определено.")
    check_range("Ответ", counted, n_classes, "классов")
