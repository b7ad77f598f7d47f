"""Чтение файлов с настройками и весами: папки Hugging Face и веса torchvision, без pickle."""

import json
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from modern_nets.config import unknown_name

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Checkpoint:
    """Прочитанные файлы: настройки и тензоры под теми именами, что в файле.

    Attributes:
        source: Откуда прочитано — для сообщений об ошибках.
        config: Содержимое config.json.
        tensors: Имя в файле → тензор.
    """

    source: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]

    def n_rows(self, name: str) -> int:
        """Сколько строк в матрице: у матрицы головы это число классов.

        Args:
            name: Имя тензора в файле.

        Returns:
            Число строк; 0, если такого тензора нет.
        """
        return len(self.tensors.get(name, ()))


def read_checkpoint(name_or_folder: str | Path, *, presets: Collection[str] = ()) -> Checkpoint:
    """Читает папку Hugging Face с диска или по имени.

    Args:
        name_or_folder: Папка или имя на Hugging Face.
        presets: Имена готовых настроек: их подскажет ошибка, если имя не нашлось.

    Returns:
        Настройки и тензоры.

    Raises:
        FileNotFoundError: нет папки, имени или файла в них.
        ValueError: config.json или файл весов не читаются, либо веса лежат только в pickle.
    """
    folder = Path(os.path.expanduser(name_or_folder))
    if folder.is_file():
        raise ValueError(f"{folder} — файл, а нужна папка, в которой лежат config.json и {WEIGHTS}.")
    if folder.is_dir():
        return _read(str(folder), lambda file: folder / file if (folder / file).is_file() else None)
    if isinstance(name_or_folder, Path) or str(name_or_folder).startswith((".", "/", "~")) or folder.is_absolute():
        raise FileNotFoundError(f"Папки {folder} нет.")
    return _read(name_or_folder, lambda file: _download(name_or_folder, file, presets))


def torchvision_checkpoint(name: str, weights: str = "DEFAULT") -> Checkpoint:
    """Берёт веса у torchvision: её загрузчик скачивает файл один раз и читает его с weights_only.

    Args:
        name: Имя модели в torchvision: «resnet18», «vit_b_16».
        weights: Какие из весов: «DEFAULT» — лучшие, «IMAGENET1K_V1» — обученные по рецепту статьи.

    Returns:
        Тензоры под именами torchvision; настроек в таком файле нет.

    Raises:
        FileNotFoundError: библиотеки torchvision нет.
        ValueError: такой модели или таких весов у torchvision нет, файл повреждён.
        OSError: файл не скачался.
    """
    try:
        from torchvision.models import get_model_weights, list_models
    except ImportError as error:
        raise FileNotFoundError(f"Веса {name} берутся у torchvision, а её нет: поставьте torchvision.") from error
    if name not in (models := list_models()):
        raise ValueError(unknown_name("У torchvision модели", name, models))
    known = get_model_weights(name)
    if weights not in known.__members__:
        raise ValueError(unknown_name(f"У {name} весов", weights, ["DEFAULT", *known.__members__]))
    try:
        state = known[weights].get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        raise OSError(
            f"Веса {name} не скачались: {error}. Скачайте {known[weights].url} на другой машине "
            f"и положите в {torch.hub.get_dir()}/checkpoints."
        ) from error
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(
            f"Файл весов {name} повреждён ({error}). Удалите его из {torch.hub.get_dir()}/checkpoints."
        ) from error
    return Checkpoint(source=f"torchvision ({name}, {weights})", config={}, tensors=dict(state))


def _read(source: str, find: Callable[[str], Path | None]) -> Checkpoint:
    """Читает config.json и веса; find возвращает путь к файлу или None."""
    config = find("config.json")
    if config is None:
        raise FileNotFoundError(f"В {source} нет config.json.")
    if weights := find(WEIGHTS):
        return Checkpoint(source, _read_json(config), _read_tensors(weights))
    if index := find(INDEX):
        tensors: dict[str, Tensor] = {}
        files = _read_json(index).get("weight_map")
        if not isinstance(files, dict) or not all(isinstance(part, str) for part in files.values()):
            raise ValueError(f"В {index} нет таблицы weight_map: не сказано, в каких файлах лежат тензоры.")
        for part in sorted(set(files.values())):
            path = find(part)
            if path is None:
                raise FileNotFoundError(f"В {source} нет файла {part}, названного в {INDEX}.")
            tensors |= _read_tensors(path)
        return Checkpoint(source, _read_json(config), tensors)
    if find("pytorch_model.bin"):
        raise ValueError(
            f"В {source} веса лежат в pytorch_model.bin. Это pickle: при чтении он может выполнить чужой код, "
            f"и пакет его не открывает. Пересохраните модель: model.save_pretrained(папка) запишет {WEIGHTS}."
        )
    raise FileNotFoundError(f"В {source} нет {WEIGHTS}.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} не читается как JSON: {error}.") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path}: ожидался объект {{…}}, а лежит {type(data).__name__}.")
    return data


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} не читается как safetensors: файл оборван или это другой формат ({error})."
        ) from error


def _download(name: str, file: str, presets: Collection[str]) -> Path | None:
    """Файл модели с Hugging Face (или из её кэша); None, если модель есть, а файла в ней нет."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise FileNotFoundError(
            f"Папки «{name}» нет. Чтобы загрузить модель по имени, поставьте huggingface_hub."
        ) from error
    try:
        return Path(hf_hub_download(name, file))
    except EntryNotFoundError as error:
        if file != "config.json" or not isinstance(error, LocalEntryNotFoundError):
            return None
        reason = "в кэше её нет, а сеть недоступна"
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
    if name in presets:
        raise FileNotFoundError(f"Настройки «{name}» в пакете есть, а весов нет: {reason}.")
    raise FileNotFoundError(f"{unknown_name('Ни папки, ни модели', name, presets)} ({reason})")
