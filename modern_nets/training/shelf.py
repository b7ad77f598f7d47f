"""Запись обученной модели в папку, которую читают и transformers, и modern_nets."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from modern_nets.checkpoints import Pretrained
from modern_nets.disk import replacing

END = "<|endoftext|>"
"""Токен конца текста у GPT-2."""


def save_model(model: Pretrained, folder: Path, **about: Any) -> None:
    """Пишет веса в float16, чтобы файл был вдвое меньше, а в config.json просит считать в float32.

    Args:
        model: Обученная модель.
        folder: Куда писать.
        about: Что добавить в config.json: номера служебных токенов, подписи классов.
    """
    half = copy.deepcopy(model).half()
    half.hf_extra = about
    half.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_json(config | {"dtype": "float32"}, folder / "config.json")


def save_tokenizer(tokenizer: Tokenizer, folder: Path, **config: Any) -> None:
    """Пишет tokenizer.json и tokenizer_config.json.

    Args:
        tokenizer: Токенизатор.
        folder: Куда писать.
        config: Содержимое tokenizer_config.json: класс в transformers, служебные токены.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(config, folder / "tokenizer_config.json")


def save_gpt2_tokenizer(tokenizer: Tokenizer, folder: Path, end: str, max_tokens: int) -> None:
    """Пишет BPE так, чтобы папку прочёл GPT2Tokenizer.

    Args:
        tokenizer: Токенизатор BPE над байтами.
        folder: Куда писать.
        end: Токен конца текста.
        max_tokens: Сколько токенов читает модель.
    """
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)
    save_tokenizer(tokenizer, folder, tokenizer_class="GPT2Tokenizer", model_max_length=max_tokens, **ends)


def cached(path: Path, make: Callable[[], Any]) -> Any:
    """Читает JSON, а если файла нет — делает данные и записывает.

    Args:
        path: Файл.
        make: Делает данные.

    Returns:
        Данные такими, какими они читаются из JSON.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            write_json(make(), draft)
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(data: Any, path: Path) -> None:
    """Пишет JSON с русскими буквами как есть.

    Args:
        data: Что писать.
        path: Куда.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
