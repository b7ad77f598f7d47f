"""Модели под рукой по именам: чем обучить, чем измерить, что написать в карточке."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from modern_nets.training import code, digits, letters, names
from modern_nets.training.loop import History, Plan


@dataclass(frozen=True)
class Recipe:
    """Рецепт модели.

    Attributes:
        build: Обучает: (папка, папка чекпоинта, устройство, план) → потери и время шага.
        measure: Измеряет: (папка модели, папка чекпоинта, устройство) → измерения.
        plan: Сколько и как учить.
    """

    build: Callable[[Path, Path, torch.device, Plan], History]
    measure: Callable[[Path, Path, torch.device], dict[str, Any]]
    plan: Plan


RECIPES = {
    "tiny-left-ru": Recipe(letters.build_left, letters.measure_left, letters.PLAN),
    "tiny-bert-ru": Recipe(letters.build, letters.measure, letters.PLAN),
    "tiny-gpt-ru": Recipe(names.build, names.measure, names.PLAN),
    "tiny-gpt-py": Recipe(code.build, code.measure, code.PLAN),
    **{
        name: Recipe(partial(digits.build, name), partial(digits.measure, name), digits.PLANS[name])
        for name in digits.PLANS
    },
}
"""Порядок — в каком учить: tiny-bert-ru сравнивается с готовой tiny-left-ru."""
