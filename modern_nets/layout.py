"""Раскладка: как перевести имена настроек и параметров модели в имена из файла и обратно.

Сами таблицы имён — в `modern_nets.formats`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import torch
from torch import Tensor

from modern_nets.config import Config

# Поля config.json, от которых выход модели не зависит: сведения о файле, токенизаторе, обучении и генерации.
INERT_FIELDS = frozenset(
    {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "model_type"}
    | {"id2label", "label2id", "num_labels", "finetuning_task", "task_specific_params", "initializer_range"}
    | {"bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "decoder_start_token_id"}
    | {"use_cache", "gradient_checkpointing", "output_attentions", "output_hidden_states", "return_dict"}
)
# Имя активации в config.json → наше. Из нескольких подходящих пишется первое.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Как модель записана в папке: её настройки в config.json и её тензоры в model.safetensors.

    Имя в таблице `names` указывает на слой (тогда речь обо всех его параметрах) или на отдельный тензор.

    Attributes:
        model_type: Значение model_type в config.json.
        fields: Поле config.json → наше поле. Если наше поле одно на несколько, их значения обязаны совпасть.
        defaults: Что подразумевает transformers, если поля из `fields` нет; у остальных его отсутствие — ошибка.
        required: Поле config.json → единственное значение, которое реализовано. Оно же подразумевается.
        inert: Поля сверх `INERT_FIELDS`, от которых выход не зависит.
        names: Имя в файле → имя у нас. Несколько наших имён значат, что в файле эти тензоры склеены по выходам.
            Пустая таблица — имена одинаковы.
        prefix: Приставка имён, которой в файле может не быть: у тела без головы.
        transposed: Слои, чьи матрицы лежат в файле повёрнутыми: (вход, выход).
        ignored: Тензоры, которые модели не нужны; звёздочка — любой текст.
        tied: Имя → имя: у нас это один тензор, и если в файле есть оба, они обязаны совпасть.
        optional: Тензоры, которых в файле может не быть: они останутся нулями.
    """

    model_type: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    required: Mapping[str, Any] = field(default_factory=dict)
    inert: frozenset[str] = frozenset()
    names: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    prefix: str = ""
    transposed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    tied: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()

    def read_config(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Переводит config.json в поля наших настроек.

        Args:
            data: Содержимое config.json.

        Returns:
            Наше поле → значение.

        Raises:
            ValueError: чужой model_type, нет нужного поля, поле неизвестно или его значение не реализовано.
        """
        model_type = data.get("model_type", self.model_type)  # в старых файлах его нет
        if model_type != self.model_type:
            raise ValueError(f"В config.json model_type = {model_type!r}, а нужен {self.model_type!r}.")
        if data.get("problem_type", "") is None:  # «по ответам»: для номеров классов это и есть реализованное
            data = {name: value for name, value in data.items() if name != "problem_type"}
        known = self.fields.keys() | self.required.keys() | self.inert | INERT_FIELDS
        for name, value in data.items():
            if name in self.required and value != self.required[name]:
                raise ValueError(
                    f"В config.json {name} = {value!r}: это не реализовано, допустимо только {self.required[name]!r}."
                )
            if name not in known and value not in (None, False, [], {}):
                raise ValueError(f"Поле config.json {name} = {value!r} пакету неизвестно: выход мог бы стать другим.")
        values: dict[str, Any] = {}
        for theirs, ours in self.fields.items():
            if theirs not in data and theirs not in self.defaults:
                raise ValueError(f"В config.json нет поля {theirs}.")
            value = data.get(theirs, self.defaults.get(theirs))
            if ours == "activation":
                if not isinstance(value, str) or value not in ACTIVATIONS:
                    names = ", ".join(ACTIVATIONS)
                    raise ValueError(f"В config.json {theirs} = {value!r}: активация не реализована, есть {names}.")
                value = ACTIVATIONS[value]
            value = tuple(value) if isinstance(value, list) else value
            if values.setdefault(ours, value) != value and theirs in data:
                raise ValueError(
                    f"В config.json {theirs} = {value!r}, а реализовано только {theirs} = {values[ours]!r}."
                )
        return values

    def write_config(self, config: Config) -> dict[str, Any]:
        """Переводит настройки в config.json.

        Args:
            config: Настройки модели.

        Returns:
            Поле config.json → значение.
        """
        values = {theirs: getattr(config, ours) for theirs, ours in self.fields.items()}
        for theirs, ours in self.fields.items():
            if ours == "activation":
                values[theirs] = next(name for name, our in ACTIVATIONS.items() if our == values[theirs])
        return {"model_type": self.model_type} | dict(self.required) | values

    def file_names(self, our_names: Iterable[str]) -> dict[str, list[str]]:
        """Под какими именами тензоры модели лежат в файле.

        Args:
            our_names: Имена тензоров модели.

        Returns:
            Имя в файле → наши имена, склеенные в нём по порядку.
        """
        if not self.names:
            return {name: [name] for name in our_names}
        patterns = []
        for theirs, ours in self.names.items():
            for our in (ours,) if isinstance(ours, str) else ours:
                patterns.append((re.compile(re.escape(our).replace(r"\*", r"(\d+)") + r"(\.[a-z_]+)?"), theirs))
        found: dict[str, list[str]] = {}
        names = set(our_names)
        for pattern, theirs in patterns:
            for match in filter(None, map(pattern.fullmatch, sorted(names))):
                *indexes, leaf = match.groups()
                full = theirs + (leaf or "")
                for index in indexes:
                    full = full.replace("*", index, 1)
                found.setdefault(full, []).append(match.string)
                names.remove(match.string)
        if names:
            raise KeyError(f"нет в таблице имён: {sorted(names)}")
        return found

    def pack(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Переименовывает тензоры модели так, как они лежат в файле: склеивает и поворачивает, где надо.

        Args:
            state: Наше имя → тензор.

        Returns:
            Имя в файле → тензор на CPU.
        """
        packed = {}
        for theirs, ours in self.file_names(state).items():
            tensor = torch.cat([state[our] for our in ours]) if len(ours) > 1 else state[ours[0]]
            turned = tensor.T if self.is_transposed(theirs) else tensor
            packed[theirs] = turned.detach().cpu().contiguous()
        return packed

    def plain(self, name: str) -> str:
        """Имя без приставки, с новыми окончаниями weight и bias вместо старых gamma и beta.

        Args:
            name: Имя тензора в файле.

        Returns:
            Имя, по которому сравниваются файл и модель.
        """
        return re.sub(r"\.beta$", ".bias", re.sub(r"\.gamma$", ".weight", name.removeprefix(self.prefix)))

    def is_transposed(self, name: str) -> bool:
        """Повёрнута ли в файле матрица с этим именем.

        Args:
            name: Имя тензора в файле.

        Returns:
            True, если её надо повернуть.
        """
        return any(fnmatch(self.plain(name), f"{layer}.weight") for layer in self.transposed)

    def is_ignored(self, name: str) -> bool:
        """Можно ли пропустить тензор с этим именем.

        Args:
            name: Имя тензора в файле.

        Returns:
            True, если модели он не нужен.
        """
        return any(fnmatch(self.plain(name), pattern) for pattern in self.ignored)

    def is_optional(self, name: str) -> bool:
        """Может ли тензора с этим именем не быть в файле.

        Args:
            name: Имя тензора в файле.

        Returns:
            True, если вместо него подойдут нули.
        """
        return any(fnmatch(self.plain(name), pattern) for pattern in self.optional)
