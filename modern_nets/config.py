"""Общее у настроек всех моделей: проверка значений и ошибка о неизвестном имени."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, get_origin


@dataclass(frozen=True, kw_only=True)
class Config:
    """Настройки модели: неизменяемые, поля только по именам.

    Raises:
        ValueError: значение не того типа, размер меньше единицы, доля dropout вне [0, 1) или eps меньше нуля.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_tuple = get_origin(field.type) is tuple
            kind: Any = int if is_tuple else float | int if field.type is float else field.type
            parts = value if isinstance(value, tuple) else [value]
            right = [isinstance(part, kind) and (kind is bool or not isinstance(part, bool)) for part in parts]
            if isinstance(value, tuple) != is_tuple or not all(right):
                raise ValueError(f"Поле {field.name} должно иметь тип {field.type}, а пришло {value!r}.")
            lowest = 0 if field.type is float or field.name in ("n_classes", "pad_token_id") else 1
            if any(isinstance(part, int | float) and kind is not bool and not part >= lowest for part in parts):
                raise ValueError(f"Поле {field.name} должно быть не меньше {lowest}, а пришло {value}.")
            if "dropout" in field.name and not 0 <= value < 1:
                raise ValueError(f"Поле {field.name} — доля от 0 до 1, а пришло {value}.")


def unknown_name(what: str, name: str, known: Collection[str]) -> str:
    """Текст ошибки о неизвестном имени — с похожими из известных.

    Args:
        what: Чего нет, в родительном падеже: «Активации».
        name: Имя, которое пришло.
        known: Имена, которые есть.

    Returns:
        Сообщение для исключения.
    """
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    if near:
        return f"{what} «{name}» нет. Похожие имена: {', '.join(near)}."
    return f"{what} «{name}» нет. Есть: {', '.join(known)}." if known else f"{what} «{name}» нет."
