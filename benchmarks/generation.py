"""Генерация: жадно дописать токены нашей GPT-2 и той же GPT-2 в transformers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.models import transformers
from modern_nets.generate import generate
from modern_nets.gpt2 import GPT2, GPT2Config

SMALL = GPT2Config(vocab_size=1000, max_tokens=256, d_model=128, n_layers=4, n_heads=4)  # миллион параметров


@dataclass(frozen=True)
class Writing:
    """Модель и сколько токенов ей дописать.

    Attributes:
        title: Название строки таблицы.
        config: Настройки модели.
        target: Во сколько раз наше время должно быть не больше времени transformers.
        n_tokens: Сколько токенов дописать к началу из шестнадцати.
    """

    title: str
    config: GPT2Config
    target: float
    n_tokens: int = 64

    def pair(self, folder: Path) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        """Наша генерация и генерация transformers; обе возвращают начало с продолжением.

        Raises:
            AssertionError: продолжения разные или короче, чем надо.
        """
        torch.manual_seed(0)
        GPT2(self.config).save_pretrained(folder)
        prompt = torch.randint(self.config.vocab_size, (1, 16))
        ours = partial(generate, GPT2.from_pretrained(folder), prompt, self.n_tokens)
        reference = transformers("GPT2LMHeadModel", folder)
        reference.generation_config.eos_token_id = None  # ничто не оборвёт текст раньше
        theirs = partial(
            reference.generate,
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=self.n_tokens,
            do_sample=False,
            pad_token_id=0,
        )
        written = ours()
        assert written.shape == (1, 16 + self.n_tokens), "продолжение не той длины"
        assert torch.equal(written, theirs()), "продолжения разошлись"
        return ours, theirs


WRITINGS = {
    "generate-gpt2": Writing("GPT-2 small, 64 токена жадно", GPT2Config(), target=0.95),
    "generate-small": Writing("GPT-2 на миллион, 64 токена жадно", SMALL, target=0.40),
}
