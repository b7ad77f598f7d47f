"""Чтение файлов с настройками и весами: папки Hugging Face и веса torchvision, без pickle."""

import json
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from modern_nets.config import unknown_name
from modern_nets.embedded import names, trained

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PATIENCE = 8
"""Сколько секунд ждать ответа сервера."""


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
    if not isinstance(name_or_folder, str | Path) or not str(name_or_folder) or len(str(name_or_folder)) > 4000:
        raise ValueError(f"Нужна папка или имя модели, а пришло {str(name_or_folder)[:40]!r}.")
    folder = Path(os.path.expanduser(name_or_folder))
    if os.path.isfile(folder):  # не Path.is_file: от слишком длинного имени он падает
        raise ValueError(f"{folder} — файл, а нужна папка, в которой лежат config.json и {WEIGHTS}.")
    if os.path.isdir(folder):
        return _read(str(folder), lambda file: folder / file if (folder / file).is_file() else None)
    if isinstance(name_or_folder, Path) or str(name_or_folder).startswith((".", "/", "~")) or folder.is_absolute():
        raise FileNotFoundError(f"Папки {folder} нет.")
    if name_or_folder in trained():
        raise FileNotFoundError(
            f"{name_or_folder} лежит под рукой: передайте не имя, а папку — modern_nets.at_hand('{name_or_folder}')."
        )
    return _read_from_hub(name_or_folder, presets)


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
    url, cache = known[weights].url, Path(torch.hub.get_dir(), "checkpoints")
    try:
        if not (cache / url.rpartition("/")[2]).exists():
            _within_patience(lambda: urlopen(Request(url, method="HEAD"), timeout=PATIENCE).close())
        state = known[weights].get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        raise OSError(
            f"Веса {name} не скачались: {url} — {_brief(error)}. Скачайте их на другой машине и положите в {cache}. "
            + _at_hand()
        ) from error
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"Файл весов {name} повреждён ({error}). Удалите его из {cache}.") from error
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


def _read_from_hub(name: str, presets: Collection[str]) -> Checkpoint:
    """Читает модель с Hugging Face: каждый файл — из кэша, а если его там нет — по сети."""
    try:
        from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )
    except ImportError as error:
        raise FileNotFoundError(
            f"Папки «{name}» нет. Чтобы загрузить модель по имени, поставьте huggingface_hub."
        ) from error
    failures: list[tuple[str, Exception]] = []  # файл, который не получен, и почему

    def find(file: str) -> Path | None:
        try:
            return Path(hf_hub_download(name, file, local_files_only=True))
        except LocalEntryNotFoundError as error:
            if constants.HF_HUB_OFFLINE:
                failures.append((file, error))
        if failures:  # второй раз сеть не ждут
            return None
        try:
            # Сама библиотека молчала бы о недоступной сети полминуты и дольше.
            _within_patience(lambda: get_hf_file_metadata(hf_hub_url(name, file), timeout=PATIENCE))
            return Path(hf_hub_download(name, file))
        except Exception as error:  # у сетевых ошибок нет общего предка
            if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
                raise  # такой модели нет
            if isinstance(error, LocalEntryNotFoundError) or not isinstance(error, EntryNotFoundError):
                failures.append((file, error))  # иначе модель есть, а такого файла в ней нет
        return None

    try:
        return _read(name, find)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise FileNotFoundError(f"{unknown_name('Ни папки, ни модели', name, presets)} ({_brief(error)})") from error
    except FileNotFoundError as error:
        if not failures:
            raise
        file, reason = failures[0]
        url, why = hf_hub_url(name, file), _brief(reason)
        what = f"Настройки «{name}» в пакете есть, а весов" if name in presets else f"Модели «{name}»"
        near = [] if name in presets else get_close_matches(name.lower(), presets, n=3, cutoff=0.5)
        similar = f" Похожие имена: {', '.join(near)}." if near else ""
        raise FileNotFoundError(
            f"{what} на этой машине нет, и по сети они не получены: {url} — {why}.{similar} "
            f"Как получить: на машине с сетью выполните «hf download {name} --local-dir папка», "
            f"перенесите папку сюда и передайте её вместо имени. {_at_hand()}"
        ) from error


def _within_patience(ask: Callable[[], object]) -> None:
    """Спрашивает сервер, но не дольше PATIENCE секунд.

    Отдельный поток: поиск адреса не прервать ни таймаутом соединения, ни исключением.
    """
    answer: Queue[Exception | None] = Queue()

    def run() -> None:
        try:
            ask()
            answer.put(None)
        except Exception as error:
            answer.put(error)

    Thread(target=run, daemon=True).start()
    try:
        error = answer.get(timeout=PATIENCE)
    except Empty:
        raise TimeoutError(f"за {PATIENCE} секунд ответа нет") from None
    if error is not None:
        raise error


def _at_hand() -> str:
    return f"Без сети под рукой: {', '.join(names())} — их папки даёт modern_nets.at_hand(имя)."


def _brief(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
