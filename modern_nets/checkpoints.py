"""Модель, которая читает и пишет папки Hugging Face, и строгая загрузка тензоров.

Лишний, недостающий или неподходящий тензор — ошибка: модель, загруженная наполовину, молча выдаёт чепуху.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from modern_nets.config import Config
from modern_nets.disk import flush
from modern_nets.files import WEIGHTS, Checkpoint, read_checkpoint, torchvision_checkpoint
from modern_nets.layout import INERT_FIELDS, Layout


class _NoRandomInit(TorchFunctionMode):
    """Не разыгрывать начальные веса: на устройстве meta это впервые занимает секунды, а чисел там всё равно нет."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


class Pretrained(nn.Module):
    """Основа моделей пакета: чтение и запись папок Hugging Face.

    Attributes:
        CONFIG: Класс настроек.
        LAYOUT: Как модель записана в папке.
        OTHER_LAYOUTS: Раскладки, которые модель читает сверх основной; их различает model_type.
        PRESETS: Готовые наборы настроек по именам.
        ARCHITECTURE: Имя того же класса в transformers.
        config: Настройки модели.
        hf_extra: Поля config.json, от которых выход не зависит (подписи классов, служебные токены):
            из прочитанной папки они переходят в записанную.
    """

    CONFIG: ClassVar[type[Config]]
    LAYOUT: ClassVar[Layout]
    OTHER_LAYOUTS: ClassVar[tuple[Layout, ...]] = ()
    PRESETS: ClassVar[Mapping[str, Config]] = {}
    ARCHITECTURE: ClassVar[str] = ""

    config: Config
    hf_extra: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def from_pretrained(cls, name_or_folder: str | Path, *, dtype: torch.dtype | None = None) -> Self:
        """Собирает модель по папке Hugging Face и загружает её веса.

        Args:
            name_or_folder: Папка с config.json и model.safetensors или имя на Hugging Face
                (тогда нужны сеть и библиотека huggingface_hub: она приходит вместе с transformers).
            dtype: Тип чисел модели; None — названный в config.json, а если его там нет — тот, что в файле.

        Returns:
            Модель в режиме eval: dropout выключен, BatchNorm берёт накопленную статистику.

        Raises:
            FileNotFoundError: папки или файлов в ней нет, имя не нашлось.
            ValueError: файл повреждён, в нём не те тензоры или config.json требует того, чего в пакете нет.
        """
        checkpoint = read_checkpoint(name_or_folder, presets=cls.PRESETS)
        model_type = checkpoint.config.get("model_type")
        layout = next((other for other in cls.OTHER_LAYOUTS if other.model_type == model_type), cls.LAYOUT)
        return cls._build(checkpoint, cls._configure(checkpoint, layout), layout, dtype)

    @classmethod
    def _configure(cls, checkpoint: Checkpoint, layout: Layout) -> Any:
        return cls.CONFIG(**layout.read_config(checkpoint.config))

    @classmethod
    def _build(cls, checkpoint: Checkpoint, config: Config, layout: Layout, dtype: torch.dtype | None) -> Self:
        with torch.device("meta"), _NoRandomInit():  # формы без чисел: начальные веса всё равно заменятся
            model = cls(config)  # type: ignore[call-arg]
        wanted = dtype or checkpoint.config.get("dtype") or checkpoint.config.get("torch_dtype")
        dtype = getattr(torch, wanted.removeprefix("torch."), None) if isinstance(wanted, str) else wanted
        if wanted is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise ValueError(f"dtype = {wanted!r}, а нужен дробный тип чисел PyTorch, например float32.")
        n_classes, labels = getattr(config, "n_classes", 0), checkpoint.config.get("id2label")
        if n_classes and labels and len(labels) != n_classes:
            raise ValueError(f"В config.json подписей id2label — {len(labels)}, а классов в весах — {n_classes}.")
        state = match_tensors(model, checkpoint, layout)
        model.load_state_dict({n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}, assign=True)
        inert = INERT_FIELDS | layout.inert
        model.hf_extra = {name: value for name, value in checkpoint.config.items() if name in inert}
        return model.eval()

    @property
    def architecture(self) -> str:
        """Имя того же класса в transformers."""
        return self.ARCHITECTURE

    def _layout(self) -> Layout:
        return self.LAYOUT

    def forget_labels(self) -> None:
        """Забывает подписи классов из config.json: новой голове они не подходят."""
        stale = ("id2label", "label2id", "num_labels")
        self.hf_extra = {name: value for name, value in self.hf_extra.items() if name not in stale}

    def save_pretrained(self, folder: str | Path) -> None:
        """Записывает config.json и model.safetensors; transformers прочитает их своим `from_pretrained`.

        Файлы сначала пишутся во временную папку внутри и только потом встают на место: прерванная запись
        не портит прежних.

        Args:
            folder: Папка; если её нет, она создаётся.

        Raises:
            OSError: записать не удалось: нет места или прав, на месте папки лежит файл.
        """
        folder = Path(os.path.expanduser(folder))
        layout = self._layout()
        tensors = layout.pack(self.state_dict())
        dtype = str(next(self.parameters()).dtype).removeprefix("torch.")
        about = dict(self.hf_extra) | {"architectures": [self.architecture], "dtype": dtype}
        n_classes = getattr(self.config, "n_classes", 0)
        if n_classes and "id2label" not in about:  # без подписей transformers решил бы, что классов два
            about["id2label"] = {str(i): f"LABEL_{i}" for i in range(n_classes)}
            about["label2id"] = {f"LABEL_{i}": i for i in range(n_classes)}
        about |= layout.write_config(self.config)
        if n_classes == 1:
            about.pop("problem_type", None)  # один класс с перекрёстной энтропией transformers не прочитает
        text = json.dumps(about, ensure_ascii=False, indent=2, sort_keys=True)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".") as draft:  # у каждой записи свой
                Path(draft, "config.json").write_text(text + "\n", encoding="utf-8")
                save_file(tensors, Path(draft, WEIGHTS), metadata={"format": "pt"})
                # safetensors закрывает файл от всех, кроме владельца; права — как у любого нового файла.
                shutil.copymode(Path(draft, "config.json"), Path(draft, WEIGHTS))
                for name in (WEIGHTS, "config.json"):
                    flush(Path(draft, name))
                    os.replace(Path(draft, name), folder / name)
        except (OSError, SafetensorError) as error:
            raise OSError(f"Модель не записалась в {folder}: {error}.") from error


class ImageClassifier(Pretrained):
    """Основа ResNet и ViT: кроме папок, они берут веса torchvision по имени и меняют голову при загрузке.

    Attributes:
        TORCHVISION_LAYOUT: Под какими именами параметры лежат у torchvision.
        ARCHITECTURES: Имена того же класса в transformers: без головы и с головой.
    """

    TORCHVISION_LAYOUT: ClassVar[Layout]
    ARCHITECTURES: ClassVar[tuple[str, str]]

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path,
        *,
        n_classes: int | None = None,
        weights: str = "DEFAULT",
        dtype: torch.dtype | None = None,
    ) -> Self:
        """Загружает обученную модель: веса torchvision по имени или папку Hugging Face.

        Args:
            name_or_folder: Имя готового набора («resnet18», «vit_b_16») — веса torchvision; иначе папка
                или имя на Hugging Face.
            n_classes: Поставить новую голову на столько классов; None — оставить ту, что в файле.
                Если в файле головы нет, нет её и у модели.
            weights: Какие веса torchvision: «DEFAULT» или «IMAGENET1K_V1».
            dtype: Тип чисел; None — как сказано в config.json, а если не сказано, как в файле.

        Returns:
            Модель в режиме eval.

        Raises:
            FileNotFoundError: папки нет, имя не нашлось.
            ValueError: файл повреждён или в нём не те тензоры.
        """
        name = str(name_or_folder)
        if name in cls.PRESETS and not Path(name).is_dir():
            checkpoint = torchvision_checkpoint(name, weights)
            model = cls._build(checkpoint, cls.PRESETS[name], cls.TORCHVISION_LAYOUT, dtype)
        elif weights != "DEFAULT":
            raise ValueError(f"weights = {weights!r} выбирает веса torchvision, а {name_or_folder} — не её модель.")
        else:
            model = super().from_pretrained(name_or_folder, dtype=dtype)
        return model if n_classes is None else model.new_head(n_classes)

    def new_head(self, n_classes: int) -> Self:
        """Ставит новую, необученную голову; как — знает модель.

        Args:
            n_classes: Сколько классов.

        Returns:
            Та же модель.
        """
        raise NotImplementedError

    @property
    def architecture(self) -> str:
        """Имя того же класса в transformers."""
        return self.ARCHITECTURES[bool(getattr(self.config, "n_classes", 0))]


def match_tensors(model: nn.Module, checkpoint: Checkpoint, layout: Layout) -> dict[str, Tensor]:
    """Раздаёт тензоры файла параметрам модели.

    Args:
        model: Модель; нужны только имена и формы её параметров.
        checkpoint: Прочитанные файлы.
        layout: Под какими именами в файле лежат тензоры модели.

    Returns:
        Наше имя → копия тензора из файла.

    Raises:
        ValueError: тензоров не хватает, есть лишние или неподходящих форм; сообщение перечисляет все сразу.
    """
    wanted = model.state_dict()
    found = {layout.plain(name): tensor for name, tensor in checkpoint.tensors.items()}
    expected = layout.file_names(wanted)
    state: dict[str, Tensor] = {}
    problems = []
    for full_name, ours in expected.items():
        name, transposed = layout.plain(full_name), layout.is_transposed(full_name)
        shape = tuple(wanted[ours[0]].shape)
        if len(ours) > 1:  # склеены по первой оси
            shape = (sum(len(wanted[our]) for our in ours), *shape[1:])
        if transposed:
            shape = shape[::-1]
        if name in found and wanted[ours[0]].is_floating_point() and not found[name].is_floating_point():
            problems.append(f"не те числа: {full_name} в файле {found[name].dtype}, а веса дробные")
        elif name in found and tuple(found[name].shape) == shape:
            tensor = found[name].T if transposed else found[name]
            parts = tensor.split([len(wanted[our]) for our in ours]) if len(ours) > 1 else [tensor]
            state |= zip(ours, (part.clone(memory_format=torch.contiguous_format) for part in parts), strict=True)
        elif name in found:
            problems.append(f"не та форма: {full_name} в файле {tuple(found[name].shape)}, у модели {shape}")
        elif layout.is_optional(full_name):
            state |= {our: torch.zeros(wanted[our].shape, dtype=wanted[our].dtype) for our in ours}
        else:
            problems.append(f"нет тензора: {full_name} {shape}")
    known = {layout.plain(name) for name in expected}
    for full_name, tensor in checkpoint.tensors.items():
        name = layout.plain(full_name)
        twin = found.get(layout.tied.get(name, ""))
        if twin is not None and not torch.equal(tensor, twin):
            problems.append(f"{full_name} отличается от {layout.tied[name]}, а у модели это один тензор")
        if name not in known and name not in layout.tied and not layout.is_ignored(full_name):
            problems.append(f"лишний тензор: {full_name} {tuple(tensor.shape)}")
    if len(found) < len(checkpoint.tensors):
        problems.append(f"один и тот же тензор записан дважды: с приставкой {layout.prefix} и без неё")
    if problems:
        raise ValueError(
            f"Веса из {checkpoint.source} не подходят к {type(model).__name__}:\n  " + "\n  ".join(problems)
        )
    return state
