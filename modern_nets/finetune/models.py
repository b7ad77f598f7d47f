"""С какой модели начать: модель под рукой, папка Hugging Face, официальное имя или случайные веса."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from modern_nets.bert import BertForSequenceClassification
from modern_nets.checkpoints import Pretrained
from modern_nets.config import unknown_name
from modern_nets.embedded import at_hand, names
from modern_nets.finetune.options import SMALL_FROM_SCRATCH, SMALL_MODEL, SMALL_MODEL_FACTOR, Defaults, Options
from modern_nets.gpt2 import GPT2
from modern_nets.pictures import picture_numbers
from modern_nets.resnet import ResNet, ResNetConfig
from modern_nets.vit import ViT, ViTConfig

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CLASSES: dict[str, type[Pretrained]] = {
    "resnet": ResNet,
    "vit": ViT,
    "bert": BertForSequenceClassification,
    "gpt": GPT2,
}
MODEL_TYPES = {
    "resnet": "resnet",
    "modern_nets_resnet": "resnet",
    "vit": "vit",
    "bert": "bert",
    "gpt2": "gpt",
}
"""Поле model_type в config.json → архитектура."""
OFFICIAL = {"resnet": "resnet18", "vit": "google/vit-base-patch16-224", "bert": "bert-base-uncased", "gpt": "gpt2"}
"""С чего начать, если не сказано."""
AT_HAND = {("resnet", "digits"): "tiny-resnet-five", ("vit", "digits"): "tiny-vit-five", ("bert", "reviews"): "minilm"}
"""То же для наборов, которые лежат под рукой: сеть не нужна."""
SMALL_PICTURES: dict[str, Any] = {
    "resnet": ResNetConfig(stem="small"),
    "vit": ViTConfig(image_size=32, patch_size=4, d_model=192, n_layers=9, n_heads=3, d_mlp=768),
}
"""Сети с нуля для картинок 32 × 32: у ResNet-18 начало маленькое, у ViT — ширина Ti из DeiT и патчи 4 × 4."""
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
"""Среднее и разброс, с которыми обучены веса torchvision."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


@dataclass
class Start:
    """Модель до обучения и всё, что нужно положить рядом с её весами.

    Attributes:
        model: Модель; нужная голова уже стоит.
        source: Откуда взята.
        side: Имя файла → содержимое: настройки картинок или токенизатора.
        has_new_head: Голова новая, необученная.
        settings: Содержимое preprocessor_config.json; пусто, если модель читает текст.
        tokenizer: Токенизатор; None, если модель читает картинки.
    """

    model: Any
    source: str
    side: dict[str, bytes]
    has_new_head: bool = False
    settings: dict[str, Any] | None = None
    tokenizer: "Tokenizer | None" = None

    @property
    def n_parameters(self) -> int:
        """Число параметров модели."""
        return sum(p.numel() for p in self.model.parameters())

    def limit_tokens(self, n_tokens: int) -> None:
        """Запоминает рядом с моделью, сколько токенов она читала, когда училась: длиннее она не видела.

        Args:
            n_tokens: Сколько токенов.
        """
        settings = json.loads(self.side["tokenizer_config.json"])
        self.side["tokenizer_config.json"] = _json(settings | {"model_max_length": n_tokens})

    def learning_rate(self, defaults: Defaults, options: Options) -> float:
        """Скорость обучения, если её не назвали.

        Args:
            defaults: Значения по умолчанию для архитектуры.
            options: Просьба.

        Returns:
            Скорость; у маленьких моделей она больше.
        """
        if options.learning_rate is not None:
            return options.learning_rate
        if options.freeze:
            return defaults.head
        rate = defaults.scratch if options.from_scratch else defaults.finetune
        small = SMALL_FROM_SCRATCH if options.from_scratch else SMALL_MODEL
        factor = SMALL_MODEL_FACTOR if self.n_parameters < small else 1
        return float(f"{rate * factor:g}")


def start(options: Options, classes: list[str] | None = None, *, is_small: bool = False) -> Start:
    """Готовит модель к обучению.

    Args:
        options: Просьба.
        classes: Имена классов; None у GPT.
        is_small: Картинки 32 × 32 и меньше.

    Returns:
        Модель с головой на эти классы и файлы, которые лягут рядом с весами.

    Raises:
        FileNotFoundError: модели или её файлов нет.
        ValueError: модель другой архитектуры, файлы повреждены.
    """
    torch.manual_seed(options.seed)
    name = options.model or AT_HAND.get((options.architecture, options.data), OFFICIAL[options.architecture])
    if options.from_scratch and options.model is None and is_small and options.data != "digits":
        return _small_network(options, classes or [])
    source = _locate(name)
    cls = CLASSES[options.architecture]
    if isinstance(source, Path):
        check_architecture(source, options.architecture)
    # Голова остаётся, если она обучена на тех же классах в том же порядке.
    same = isinstance(source, Path) and not options.from_scratch and _labels(source) == classes
    keeps_head = classes is None or same
    if options.from_scratch and source in cls.PRESETS:
        model: Any = cls(cls.PRESETS[str(source)])  # type: ignore[call-arg]
    else:
        new_head = {} if keeps_head else {"n_classes": len(classes or [])}
        try:
            model = cls.from_pretrained(source, dtype=torch.float32, **new_head)
        except OSError as error:
            near = ", ".join(f"--model {name}" for name in fitting(options.architecture))
            raise OSError(f"{error} Команде без сети подойдёт {near}.") from error
        if options.from_scratch:
            extra = model.hf_extra
            model = type(model)(model.config)
            model.hf_extra = extra
    started = _with_pictures(model, source) if options.is_picture else _with_tokenizer(model, source)
    started.source = name + (" (со случайными весами)" if options.from_scratch else "")
    if classes is not None:
        _put_head(started, classes, is_new=not keeps_head)
    return started


def fitting(architecture: str) -> list[str]:
    """Модели под рукой, которые подходят архитектуре.

    Args:
        architecture: «resnet», «vit», «bert» или «gpt».

    Returns:
        Их имена.
    """
    found = []
    for name in names():
        config = json.loads((at_hand(name) / "config.json").read_text(encoding="utf-8"))
        if MODEL_TYPES.get(config.get("model_type", "")) == architecture:
            found.append(name)
    return found


def _locate(name: str) -> str | Path:
    """Папка, если это папка или модель под рукой; иначе само имя."""
    if name in names() and not Path(name).is_dir():
        return at_hand(name)
    path = Path(os.path.expanduser(name))
    if path.is_dir():
        best = path / "best"
        return best if best.is_dir() and not (path / "config.json").is_file() else path
    if path.is_file():
        raise ValueError(f"--model {name} — файл, а нужна папка с config.json и model.safetensors.")
    if name.startswith((".", "/", "~")):
        raise FileNotFoundError(f"Папки {name} нет. Модели под рукой: {', '.join(names())}.")
    if get_close_matches(name.lower(), names(), cutoff=0.75):  # опечатка: за таким именем незачем идти в сеть
        raise ValueError(unknown_name("Модели", name, names()))
    return name


def check_architecture(folder: Path, wanted: str | None = None) -> str:
    """Узнаёт архитектуру модели по папке.

    Args:
        folder: Папка модели.
        wanted: Какой она должна быть; None — любой из известных.

    Returns:
        «resnet», «vit», «bert» или «gpt».

    Raises:
        FileNotFoundError: config.json нет.
        ValueError: архитектура не та.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"В папке {folder} нет config.json: это не модель.")
    try:
        model_type = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} не читается как JSON с настройками модели ({error}).") from error
    found = MODEL_TYPES.get(str(model_type))
    if found is None or wanted not in (None, found):
        known = wanted or ", ".join(sorted(set(MODEL_TYPES.values())))
        raise ValueError(f"В {folder} лежит модель {model_type}, а нужна {known}.")
    return found


def _labels(folder: Path) -> list[str]:
    """Подписи классов модели; пусто, если их нет."""
    known = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
    return [str(known.get(str(i))) for i in range(len(known))]


def _put_head(started: Start, classes: list[str], *, is_new: bool) -> None:
    model, started.has_new_head = started.model, is_new
    if is_new:
        model.new_head(len(classes))
    labels = {str(number): name for number, name in enumerate(classes)}
    numbers = {name: number for number, name in enumerate(classes)}
    model.hf_extra = dict(model.hf_extra) | {"id2label": labels, "label2id": numbers}


def freeze(model: nn.Module) -> None:
    """Замораживает всё, кроме головы: у BERT учится и слой pooler, на который смотрит классификатор.

    Args:
        model: Классификатор.
    """
    heads = {"resnet": ("fc",), "vit": ("head",), "bert": ("classifier", "bert.pooler")}
    own = next(kind for kind, cls in CLASSES.items() if isinstance(model, cls))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(f"{head}." for head in heads[own])))


def _small_network(options: Options, classes: list[str]) -> Start:
    config = replace(SMALL_PICTURES[options.architecture], n_classes=len(classes))
    model = CLASSES[options.architecture](config)  # type: ignore[call-arg]
    settings = picture_settings(32, {"image_mean": [0.5] * 3, "image_std": [0.5] * 3})
    started = Start(model, f"{options.architecture} для картинок 32 × 32 (со случайными весами)", {}, settings=settings)
    started.side["preprocessor_config.json"] = _json(settings)
    _put_head(started, classes, is_new=True)
    return started


def picture_settings(side: int, numbers: dict[str, Any]) -> dict[str, Any]:
    """Содержимое preprocessor_config.json: картинка сжимается до квадрата и нормируется.

    Args:
        side: Сторона квадрата в точках.
        numbers: image_mean и image_std, возможно rescale_factor и resample.

    Returns:
        Настройки, которые читают и transformers, и `modern_nets.pictures.pixel_values`.
    """
    common = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "do_rescale": True, "do_normalize": True}
    kept = {
        name: numbers[name] for name in ("image_mean", "image_std", "rescale_factor", "resample") if name in numbers
    }
    return common | {"size": {"height": side, "width": side}, "rescale_factor": 1 / 255, "resample": 2} | kept


def _with_pictures(model: Any, source: str | Path) -> Start:
    """Сторона и нормировка — как у модели; обрезки краёв, какая бывает у ResNet, нет: сжимается вся картинка."""
    side = getattr(model.config, "image_size", 224)
    if isinstance(source, str) and source in type(model).PRESETS:
        settings = picture_settings(side, IMAGENET)
    else:
        raw = picture_numbers(_needed(source, "preprocessor_config.json"), model.config.n_channels)
        settings = picture_settings(side if isinstance(model, ViT) else raw["size"]["height"], raw)
    if len(settings["image_mean"]) != model.config.n_channels:
        raise ValueError(
            f"preprocessor_config.json модели {source} — для {len(settings['image_mean'])} каналов, "
            f"а сеть ждёт {model.config.n_channels}."
        )
    return Start(model, str(source), {"preprocessor_config.json": _json(settings)}, settings=settings)


def _with_tokenizer(model: Any, source: str | Path) -> Start:
    tokenizer = read_tokenizer(source)
    if tokenizer.get_vocab_size() > model.config.vocab_size:
        raise ValueError(
            f"В токенизаторе {source} токенов — {tokenizer.get_vocab_size()}, а в модели — {model.config.vocab_size}: "
            "они от разных моделей."
        )
    is_bert = isinstance(model, BertForSequenceClassification)
    side = {name: path.read_bytes() for name in TOKENIZER_FILES if (path := _find(source, name)) is not None}
    side["tokenizer.json"] = tokenizer.to_str().encode("utf-8")
    plain = {"tokenizer_class": "BertTokenizer" if is_bert else "GPT2Tokenizer"}
    side.setdefault("tokenizer_config.json", _json(plain | {"model_max_length": model.config.max_tokens}))
    return Start(model, str(source), side, tokenizer=tokenizer)


def read_tokenizer(source: str | Path) -> "Tokenizer":
    """Читает токенизатор: tokenizer.json, а если его нет — словарь, из которого тот собирается.

    Args:
        source: Папка или имя на Hugging Face.

    Returns:
        Токенизатор без дополнения и обрезки.

    Raises:
        FileNotFoundError: ни одного из файлов нет.
        ValueError: файл повреждён.
    """
    from tokenizers import Tokenizer
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
    from tokenizers.implementations.byte_level_bpe import ByteLevelBPETokenizer

    try:
        if path := _find(source, "tokenizer.json"):
            tokenizer = Tokenizer.from_file(str(path))
        elif path := _find(source, "vocab.txt"):
            about = _find(source, "tokenizer_config.json")
            settings = json.loads(about.read_text(encoding="utf-8")) if about else {}
            lower = bool(settings.get("do_lower_case", True))
            accents = settings.get("strip_accents")
            built = BertWordPieceTokenizer(str(path), lowercase=lower, strip_accents=accents)
            tokenizer = Tokenizer.from_str(built.to_str())
        elif (path := _find(source, "vocab.json")) and (merges := _find(source, "merges.txt")):
            tokenizer = Tokenizer.from_str(ByteLevelBPETokenizer(str(path), str(merges)).to_str())
        else:
            raise FileNotFoundError(f"В {source} нет токенизатора: ни tokenizer.json, ни vocab.txt, ни vocab.json.")
    except OSError:
        raise
    except Exception as error:  # у tokenizers своих классов ошибок нет
        raise ValueError(f"Токенизатор {source} не читается: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _needed(source: str | Path, name: str) -> Path:
    path = _find(source, name)
    if path is None:
        raise FileNotFoundError(f"В {source} нет файла {name}: неизвестно, как готовить вход.")
    return path


def _find(source: str | Path, name: str) -> Path | None:
    """Файл модели: в папке или в кэше Hugging Face, а если его там нет — по сети."""
    if isinstance(source, Path):
        return source / name if (source / name).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    fetches: list[Callable[[], str]] = [
        lambda: hf_hub_download(source, name, local_files_only=True),
        lambda: hf_hub_download(source, name, etag_timeout=8),
    ]
    for fetch in fetches:
        try:
            return Path(fetch())
        except EntryNotFoundError:  # в том числе: в кэше нет
            continue
        except Exception as error:  # у сетевых ошибок нет общего предка
            raise OSError(f"Файл {name} модели {source} не получен: {str(error).splitlines()[0]}") from error
    return None


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
