"""Местный кэш хаба: заместители официальных моделей, с которыми обычный код загрузки работает без сети.

    python -m docs_build.hub_cache --dir .cache/huggingface

создаёт в `<папка>/hub` модели `bert-base-uncased`, `gpt2` и `google/vit-base-patch16-224`. У заместителя официальные
`config.json` и имена и формы всех тензоров, но веса случайные, а словарь сделан вручную: годятся только формы.
Пользоваться кэшем так: `HF_HOME=<папка> HF_HUB_OFFLINE=1`.

Байты зависят только от рецепта, поэтому на любой машине кэш одинаков. Файл весов пишется по частям, без PyTorch:
устройство safetensors — это длина заголовка, заголовок JSON и числа подряд.
"""

import argparse
import errno
import hashlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

DEFAULT_DIR = Path(__file__).resolve().parent.parent / ".cache" / "huggingface"

RECIPE = 1  # увеличить, если меняется способ получать числа: старые кэши будут созданы заново
MANIFEST = "stand-in.json"
PARTIAL = ".stand-ins.partial"
REVISION_MARK = "00000000"  # с этого начинается имя снимка: настоящую модель с заместителем не спутать
SPARE_BYTES = 64 * 2**20
CHUNK = 2**18  # чисел за раз: мегабайт помещается в кэш процессора

Config = Mapping[str, Any]
Report = Callable[[str], None]


class HubCacheError(Exception):
    """Кэш создать нельзя; сообщение говорит, почему и что делать."""


# --- Что такое заместитель ---


@dataclass(frozen=True)
class TensorSpec:
    """Тензор файла весов: имя, форма и чем он заполнен.

    `weight` — нормальное распределение N(0; 0,02), `scale` — то же вокруг единицы (множители LayerNorm),
    `causal` — нижний треугольник единиц (маска GPT-2). Сдвиги тоже случайны: нулевые скрыли бы перепутанные имена.
    """

    name: str
    shape: tuple[int, ...]
    fill: Literal["weight", "scale", "causal"] = "weight"

    @property
    def n_bytes(self) -> int:
        """Размер в файле: float32, четыре байта на число."""
        return 4 * math.prod(self.shape)


@dataclass(frozen=True)
class StandIn:
    """Заместитель модели хаба: имя, текстовые файлы и тензоры."""

    repo: str
    texts: Mapping[str, str]
    tensors: tuple[TensorSpec, ...]

    @property
    def folder(self) -> str:
        """Имя папки модели в кэше хаба."""
        return "models--" + self.repo.replace("/", "--")

    @cached_property
    def header(self) -> bytes:
        """Начало файла safetensors: длина заголовка и сам заголовок, дополненный пробелами до кратного восьми."""
        entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        start = 0
        for tensor in self.tensors:
            end = start + tensor.n_bytes
            entries[tensor.name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, end]}
            start = end
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    @property
    def n_bytes(self) -> int:
        """Сколько места на диске займёт заместитель."""
        texts = sum(len(text.encode()) for text in self.texts.values())
        return texts + len(self.header) + sum(tensor.n_bytes for tensor in self.tensors)

    @cached_property
    def recipe(self) -> str:
        """Отпечаток рецепта: меняется вместе с любым файлом заместителя."""
        tensors = [[tensor.name, tensor.shape, tensor.fill] for tensor in self.tensors]
        recipe = json.dumps([RECIPE, self.repo, dict(self.texts), tensors], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(recipe.encode()).hexdigest()

    @property
    def revision(self) -> str:
        """Имя снимка: сорок шестнадцатеричных цифр, как у хаба, с пометкой заместителя в начале."""
        return REVISION_MARK + self.recipe[: 40 - len(REVISION_MARK)]


# --- BERT ---

BERT_CONFIG: Config = {
    "architectures": ["BertForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "transformers_version": "4.6.0.dev0",
    "type_vocab_size": 2,
    "use_cache": True,
    "vocab_size": 30522,
}

# Настоящие номера: знаки и буквы в словаре bert-base-uncased идут подряд, продолжения слов — вразброс.
ASCII_SYMBOLS = "!\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"  # с 999
CYRILLIC_LETTERS = "абвгдежзиклмнопрстуфхцчшщъыьэюя"  # с 1180; «й» и «ё» теряют значки ещё до словаря
WORDS = {"hello": 7592, "world": 2088}
CONTINUATIONS = {
    "s": 2015, "a": 2050, "e": 2063, "i": 2072, "n": 2078, "o": 2080, "d": 2094, "r": 2099, "y": 2100, "t": 2102,
    "l": 2140, "m": 2213, "u": 2226, "h": 2232, "k": 2243, "c": 2278, "g": 2290, "p": 2361, "z": 2480, "b": 2497,
    "f": 2546, "x": 2595, "v": 2615, "w": 2860, "j": 3501, "q": 4160,
    "0": 2692, "1": 2487, "2": 2475, "3": 2509, "4": 2549, "5": 2629, "6": 2575, "7": 2581, "8": 2620, "9": 2683,
    "а": 10260, "и": 10325, "о": 14150, "е": 15290, "р": 16856, "я": 17432, "н": 18947, "т": 22919, "ь": 23742,
    "к": 23925, "в": 25529, "ы": 29113, "л": 29436, "б": 29740, "г": 29741, "д": 29742, "ж": 29743, "з": 29744,
    "м": 29745, "п": 29746, "с": 29747, "у": 29748, "ф": 29749, "х": 29750, "ц": 29751, "ч": 29752, "ш": 29753,
    "щ": 29754, "ъ": 29755, "э": 29756, "ю": 29757,
}  # fmt: skip


def bert_vocabulary(size: int = BERT_CONFIG["vocab_size"]) -> list[str]:
    """Словарь WordPiece: служебные токены, буквы и знаки под настоящими номерами, на прочих местах — заглушки.

    Слово, которого нет в словаре, распадается на буквы, поэтому любой английский текст обходится без [UNK].
    """
    known = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    known |= {1 + i: f"[unused{i}]" for i in range(99)}
    known |= {104 + i: f"[unused{99 + i}]" for i in range(895)}
    known |= {999 + i: symbol for i, symbol in enumerate(ASCII_SYMBOLS)}
    known |= {1180 + i: letter for i, letter in enumerate(CYRILLIC_LETTERS)}
    known |= {number: word for word, number in WORDS.items()}
    known |= {number: f"##{symbol}" for symbol, number in CONTINUATIONS.items()}
    return [known.get(i, f"[filler{i}]") for i in range(size)]


def linear(name: str, n_in: int, n_out: int) -> list[TensorSpec]:
    """Линейный слой PyTorch: матрица (выход, вход) и сдвиг."""
    return [TensorSpec(f"{name}.weight", (n_out, n_in)), TensorSpec(f"{name}.bias", (n_out,))]


def layer_norm(name: str, width: int, scale: str = "weight", shift: str = "bias") -> list[TensorSpec]:
    """Нормализация слоя: множители около единицы и сдвиги."""
    return [TensorSpec(f"{name}.{scale}", (width,), "scale"), TensorSpec(f"{name}.{shift}", (width,))]


def bert_tensors(config: Config) -> Iterator[TensorSpec]:
    """Имена файла bert-base-uncased: приставка `bert.`, LayerNorm с gamma и beta из TensorFlow, головы `cls.`.

    Матрицы выхода MLM в файле нет: она общая с эмбеддингами слов.
    """
    d, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    yield TensorSpec("bert.embeddings.word_embeddings.weight", (vocab, d))
    yield TensorSpec("bert.embeddings.position_embeddings.weight", (config["max_position_embeddings"], d))
    yield TensorSpec("bert.embeddings.token_type_embeddings.weight", (config["type_vocab_size"], d))
    yield from layer_norm("bert.embeddings.LayerNorm", d, "gamma", "beta")
    for i in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{i}"
        for part in ("query", "key", "value"):
            yield from linear(f"{layer}.attention.self.{part}", d, d)
        yield from linear(f"{layer}.attention.output.dense", d, d)
        yield from layer_norm(f"{layer}.attention.output.LayerNorm", d, "gamma", "beta")
        yield from linear(f"{layer}.intermediate.dense", d, inner)
        yield from linear(f"{layer}.output.dense", inner, d)
        yield from layer_norm(f"{layer}.output.LayerNorm", d, "gamma", "beta")
    yield from linear("bert.pooler.dense", d, d)
    yield TensorSpec("cls.predictions.bias", (vocab,))
    yield from linear("cls.predictions.transform.dense", d, d)
    yield from layer_norm("cls.predictions.transform.LayerNorm", d, "gamma", "beta")
    yield from linear("cls.seq_relationship", d, 2)


def bert(config: Config = BERT_CONFIG, repo: str = "bert-base-uncased") -> StandIn:
    """Заместитель BERT."""
    texts = {
        "config.json": pretty(config),
        "tokenizer_config.json": json.dumps(
            {"do_lower_case": True, "model_max_length": config["max_position_embeddings"]}
        ),
        "vocab.txt": "".join(f"{token}\n" for token in bert_vocabulary(config["vocab_size"])),
    }
    return StandIn(repo, texts, by_name(bert_tensors(config)))


# --- GPT-2 ---

GPT2_CONFIG: Config = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 50256,
    "embd_pdrop": 0.1,
    "eos_token_id": 50256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": 50257,
}


def gpt2_vocabulary(size: int = GPT2_CONFIG["vocab_size"]) -> dict[str, int]:
    """Словарь GPT-2 без слияний: 256 байтов под настоящими номерами, заглушки и `<|endoftext|>` последним.

    Байты с печатным знаком идут первыми под своим знаком, остальные — под знаками начиная с U+0100 (пробел — `Ġ`).
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    symbols = [chr(byte) for byte in printable]
    symbols += [chr(256 + i) for i in range(256 - len(printable))]
    fillers = [f"<filler{i}>" for i in range(len(symbols), size - 1)]
    return {token: i for i, token in enumerate([*symbols, *fillers, "<|endoftext|>"])}


def conv1d(name: str, n_in: int, n_out: int) -> list[TensorSpec]:
    """Слой Conv1D из GPT-2: тот же линейный, но матрица (вход, выход)."""
    return [TensorSpec(f"{name}.weight", (n_in, n_out)), TensorSpec(f"{name}.bias", (n_out,))]


def gpt2_tensors(config: Config) -> Iterator[TensorSpec]:
    """Имена файла gpt2: без приставки `transformer.`, с причинной маской каждого слоя, без общей с `wte` головы."""
    d, context = config["n_embd"], config["n_ctx"]
    yield TensorSpec("wte.weight", (config["vocab_size"], d))
    yield TensorSpec("wpe.weight", (config["n_positions"], d))
    for i in range(config["n_layer"]):
        block = f"h.{i}"
        yield from layer_norm(f"{block}.ln_1", d)
        yield TensorSpec(f"{block}.attn.bias", (1, 1, context, context), "causal")
        yield from conv1d(f"{block}.attn.c_attn", d, 3 * d)
        yield from conv1d(f"{block}.attn.c_proj", d, d)
        yield from layer_norm(f"{block}.ln_2", d)
        yield from conv1d(f"{block}.mlp.c_fc", d, 4 * d)
        yield from conv1d(f"{block}.mlp.c_proj", 4 * d, d)
    yield from layer_norm("ln_f", d)


def gpt2(config: Config = GPT2_CONFIG, repo: str = "gpt2") -> StandIn:
    """Заместитель GPT-2."""
    generation = {
        "_from_model_config": True,
        "bos_token_id": config["bos_token_id"],
        "eos_token_id": config["eos_token_id"],
        "transformers_version": "4.26.0.dev0",
    }
    texts = {
        "config.json": pretty(config).rstrip(),  # так и в официальном файле
        "generation_config.json": pretty(generation),
        "tokenizer_config.json": json.dumps({"model_max_length": config["n_positions"]}),
        "vocab.json": json.dumps(gpt2_vocabulary(config["vocab_size"])),
        "merges.txt": "#version: 0.2\n",
    }
    return StandIn(repo, texts, by_name(gpt2_tensors(config)))


# --- ViT ---

N_CLASSES = 1000
VIT_CONFIG: Config = {
    "_name_or_path": "google/vit-base-patch16-224",
    "architectures": ["ViTForImageClassification"],
    "attention_probs_dropout_prob": 0.0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 768,
    "id2label": {str(i): f"LABEL_{i}" for i in range(N_CLASSES)},  # вместо названий классов ImageNet
    "image_size": 224,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "label2id": {f"LABEL_{i}": i for i in range(N_CLASSES)},
    "layer_norm_eps": 1e-12,
    "model_type": "vit",
    "num_attention_heads": 12,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 16,
    "qkv_bias": True,
    "transformers_version": "4.13.0.dev0",
}


def vit_tensors(config: Config) -> Iterator[TensorSpec]:
    """Имена файла google/vit-base-patch16-224: классификатор есть, слоя pooler нет."""
    d, inner, patch = config["hidden_size"], config["intermediate_size"], config["patch_size"]
    n_patches = (config["image_size"] // patch) ** 2
    yield TensorSpec("vit.embeddings.cls_token", (1, 1, d))
    yield TensorSpec("vit.embeddings.position_embeddings", (1, n_patches + 1, d))
    projection = "vit.embeddings.patch_embeddings.projection"
    yield TensorSpec(f"{projection}.weight", (d, config["num_channels"], patch, patch))
    yield TensorSpec(f"{projection}.bias", (d,))
    for i in range(config["num_hidden_layers"]):
        layer = f"vit.encoder.layer.{i}"
        yield from layer_norm(f"{layer}.layernorm_before", d)
        for part in ("query", "key", "value"):
            yield from linear(f"{layer}.attention.attention.{part}", d, d)
        yield from linear(f"{layer}.attention.output.dense", d, d)
        yield from layer_norm(f"{layer}.layernorm_after", d)
        yield from linear(f"{layer}.intermediate.dense", d, inner)
        yield from linear(f"{layer}.output.dense", inner, d)
    yield from layer_norm("vit.layernorm", d)
    yield from linear("classifier", d, len(config["id2label"]))


def vit(config: Config = VIT_CONFIG, repo: str = "google/vit-base-patch16-224") -> StandIn:
    """Заместитель ViT."""
    preprocessor = {
        "do_normalize": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "size": config["image_size"],
    }
    texts = {"config.json": pretty(config), "preprocessor_config.json": pretty(preprocessor)}
    return StandIn(repo, texts, by_name(vit_tensors(config)))


def pretty(value: Config) -> str:
    """JSON с отступами, как его пишет transformers."""
    return json.dumps(value, indent=2) + "\n"


def by_name(tensors: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Порядок safetensors: одного типа — по имени."""
    return tuple(sorted(tensors, key=lambda tensor: tensor.name))


def official() -> list[StandIn]:
    """Заместители всех официальных моделей курса."""
    return [gpt2(), bert(), vit()]  # сначала самый большой: так быстрее на двух ядрах


# --- Запись ---


def values(repo: str, tensor: TensorSpec) -> Iterator[np.ndarray]:
    """Числа тензора кусками, по порядку. Зерно выводится из имён, так что тензоры независимы друг от друга.

    Кусок действителен до следующего: память у них общая.
    """
    if tensor.fill == "causal":
        yield np.tri(tensor.shape[-2], tensor.shape[-1], dtype="<f4")
        return
    seed = int.from_bytes(hashlib.sha256(f"{RECIPE}/{repo}/{tensor.name}".encode()).digest(), "little")
    generator = np.random.Generator(np.random.SFC64(seed))
    mean = np.float32(tensor.fill == "scale")
    left = math.prod(tensor.shape)
    buffer = np.empty(min(left, CHUNK), dtype=np.float32)
    while left:
        chunk = buffer[:left]
        generator.standard_normal(out=chunk, dtype=np.float32)
        chunk *= np.float32(0.02)
        chunk += mean
        left -= chunk.size
        yield chunk.astype("<f4", copy=False)


def weight_file(stand_in: StandIn) -> Iterator[bytes | memoryview]:
    """Файл safetensors по частям."""
    yield stand_in.header
    for tensor in stand_in.tensors:
        for chunk in values(stand_in.repo, tensor):
            yield chunk.data.cast("B")


def write(path: Path, parts: Iterable[bytes | memoryview]) -> dict[str, Any]:
    """Записать файл и вернуть его размер и sha256 для описи."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb", buffering=0) as file:
        for part in parts:
            digest.update(part)
            size += len(part)
            rest = memoryview(part)
            while rest:  # без буфера запись может взять не всё сразу
                rest = rest[file.write(rest) :]
    return {"size": size, "sha256": digest.hexdigest()}


def build(stand_in: StandIn, folder: Path) -> None:
    """Создать заместителя в пустой папке модели; опись пишется последней."""
    snapshot = f"snapshots/{stand_in.revision}"
    files = {"refs/main": write(folder / "refs" / "main", [stand_in.revision.encode()])}
    for name, text in stand_in.texts.items():
        files[f"{snapshot}/{name}"] = write(folder / snapshot / name, [text.encode()])
    weights = f"{snapshot}/model.safetensors"
    files[weights] = write(folder / weights, weight_file(stand_in))
    manifest = {
        "comment": f"Заместитель {stand_in.repo} со случайными весами, не сама модель. Создал docs_build.hub_cache.",
        "recipe": stand_in.recipe,
        "files": files,
    }
    write(folder / MANIFEST, [json.dumps(manifest, ensure_ascii=False, indent=2).encode()])


# --- Проверка и установка ---


def fault(stand_in: StandIn, folder: Path) -> str:
    """Что не так с заместителем в папке модели; пустая строка — всё цело."""
    if not folder.exists():
        return "нет на диске"
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        recipe, files = manifest["recipe"], manifest["files"]
        recorded = [(name, entry["size"], entry["sha256"]) for name, entry in files.items()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "опись не читается"
    if recipe != stand_in.recipe:
        return "создан по другому рецепту"
    for name, size, sha256 in recorded:
        path = folder / name
        if not path.is_file():
            return f"нет файла {path.name}"
        if path.stat().st_size != size:
            return f"у файла {path.name} другой размер"
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return f"файл {path.name} повреждён"
    return ""


def is_foreign(folder: Path) -> bool:
    """Есть ли в папке модели что-то, чего этот модуль не создавал: прежде всего настоящая скачанная модель."""
    if folder.is_symlink() or (folder / "blobs").exists():
        return True
    snapshots = folder / "snapshots"
    return snapshots.is_dir() and any(not entry.name.startswith(REVISION_MARK) for entry in snapshots.iterdir())


def require_space(folder: Path, needed: int) -> None:
    """Убедиться до начала работы, что места на диске хватит."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise HubCacheError(
            f"На диске с папкой {folder} свободно {megabytes(free)}, а нужно {megabytes(needed + SPARE_BYTES)}. "
            "Освободите место или укажите другую папку: --dir."
        )


def replace_folder(new: Path, target: Path, aside: Path) -> None:
    """Поставить готовую папку на место одним переименованием; прежнюю убрать."""
    if target.exists():
        os.replace(target, aside)
    os.replace(new, target)
    shutil.rmtree(aside, ignore_errors=True)


def say(message: str) -> None:
    """Напечатать строку одной записью: строки двух потоков не перемешаются."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


def ensure(cache_dir: Path, stand_ins: Sequence[StandIn] | None = None, report: Report = say) -> list[str]:
    """Сделать так, чтобы в кэше были целые заместители.

    Целые не трогает, недостающие и повреждённые создаёт заново. Настоящую модель не удаляет никогда.

    Args:
        cache_dir: Папка, на которую потом укажет `HF_HOME`.
        stand_ins: Какие заместители нужны. По умолчанию — всех официальных моделей курса.
        report: Куда сообщать о ходе работы.

    Returns:
        Имена моделей, заместители которых пришлось создать.

    Raises:
        HubCacheError: не хватает места или место занято настоящей моделью.
    """
    wanted = official() if stand_ins is None else list(stand_ins)
    hub = cache_dir / "hub"
    hub.mkdir(parents=True, exist_ok=True)
    with exclusive(cache_dir / ".hub_cache.lock", report), ThreadPoolExecutor(max_workers=2) as pool:
        faults = pool.map(lambda stand_in: fault(stand_in, hub / stand_in.folder), wanted)
        broken = [(stand_in, reason) for stand_in, reason in zip(wanted, faults, strict=True) if reason]
        if not broken:
            report(f"Кэш хаба цел, создавать нечего: {cache_dir}")
            return []
        for stand_in, _ in broken:
            if is_foreign(hub / stand_in.folder):
                raise HubCacheError(
                    f"В папке {hub / stand_in.folder} лежит не заместитель, возможно, настоящая модель. "
                    "Укажите другую папку (--dir) или удалите эту сами."
                )
        partial = hub / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)  # остаток прерванной работы
        require_space(hub, sum(stand_in.n_bytes for stand_in, _ in broken))

        def install(stand_in: StandIn, reason: str) -> None:
            start = time.perf_counter()
            report(f"{stand_in.repo}: {reason}, создаю заместителя ({megabytes(stand_in.n_bytes)})")
            new = partial / stand_in.folder
            build(stand_in, new)
            replace_folder(new, hub / stand_in.folder, partial / f"{stand_in.folder}.old")
            seconds = f"{time.perf_counter() - start:.1f}".replace(".", ",")
            report(f"{stand_in.repo}: готово за {seconds} с")

        try:
            for done in [pool.submit(install, *item) for item in broken]:
                done.result()
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(partial, ignore_errors=True)
    return [stand_in.repo for stand_in, _ in broken]


@contextmanager
def exclusive(path: Path, report: Report) -> Iterator[None]:
    """Замок: двум процессам сразу создавать один кэш незачем, второй ждёт и находит готовое."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report("Кэш хаба уже создаёт другой процесс, жду")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def megabytes(size: int) -> str:
    """Размер для человека."""
    return f"{math.ceil(size / 1e6)} МБ"


def main(arguments: Sequence[str] | None = None) -> int:
    """Команда `python -m docs_build.hub_cache`."""
    parser = argparse.ArgumentParser(
        prog="python -m docs_build.hub_cache",
        description="Создаёт заместителей официальных моделей хаба: официальная конфигурация, случайные веса.",
    )
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIR, help="папка для HF_HOME (сейчас %(default)s)")
    options = parser.parse_args(arguments)
    try:
        ensure(options.dir.absolute())
    except HubCacheError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        reason = "кончилось место на диске" if error.errno == errno.ENOSPC else str(error)
        print(f"Кэш хаба создать не удалось: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
