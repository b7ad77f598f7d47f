"""Число параметров каждого готового набора — до единицы."""

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
import torch

import modern_nets
from modern_nets import bert, gpt2, resnet, transformer, vit
from modern_nets.checkpoints import Pretrained

# Числа — из torchvision и transformers; у Transformer посчитаны ниже по формуле.
COUNTS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "bert-base-uncased": 109_482_240,
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "vit_b_16": 86_567_656,
    "vit_l_16": 304_326_632,
    "transformer-base": 63_082_496,
    "transformer-big": 214_245_376,
}
MODELS: dict[str, tuple[Any, str]] = {
    "resnet": (resnet, "ResNet"),
    "bert": (bert, "Bert"),
    "gpt2": (gpt2, "GPT2"),
    "vit": (vit, "ViT"),
    "transformer": (transformer, "Transformer"),
}


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def presets() -> list[tuple[str, Any, Any]]:
    return [
        (name, getattr(module, cls), config)
        for module, cls in MODELS.values()
        for name, config in module.PRESETS.items()
    ]


@pytest.mark.parametrize(("name", "model", "config"), presets(), ids=[name for name, *_ in presets()])
def test_preset_has_exactly_as_many_parameters(name: str, model: Any, config: Any) -> None:
    with torch.device("meta"):
        assert count(model(config)) == COUNTS[name]


def test_no_preset_is_untested() -> None:
    """Новый набор настроек или новая модель не пройдут мимо таблицы."""
    assert {name for name, *_ in presets()} == COUNTS.keys()
    modules = [
        importlib.import_module(f"modern_nets.{info.name}") for info in pkgutil.iter_modules(modern_nets.__path__)
    ]
    with_models = {
        module.__name__
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Pretrained) and value.__module__ == module.__name__
    } - {"modern_nets.checkpoints", "modern_nets.mlp"}  # у MLP готовых наборов нет
    assert with_models == {f"modern_nets.{name}" for name in MODELS}


def test_every_preset_has_a_function_that_builds_it() -> None:
    for module, cls in MODELS.values():
        builders = {
            name: value
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and list(inspect.signature(value).parameters) == ["changes"]
        }
        with torch.device("meta"):
            built = {name: build() for name, build in builders.items()}
        assert sorted(map(repr, (m.config for m in built.values()))) == sorted(map(repr, module.PRESETS.values())), cls
        for name, config in module.PRESETS.items():
            stem = name.replace("-uncased", "").replace("-", "_")
            assert built[stem].config == config


def test_transformer_counts_follow_from_its_sizes() -> None:
    for name, d_model, d_mlp in (("transformer-base", 512, 2048), ("transformer-big", 1024, 4096)):
        attention, norm = 4 * (d_model**2 + d_model), 2 * d_model
        mlp = 2 * d_model * d_mlp + d_mlp + d_model
        encoder, decoder = attention + mlp + 2 * norm, 2 * attention + mlp + 3 * norm
        assert COUNTS[name] == 37_000 * d_model + 6 * (encoder + decoder)


def test_changes_reach_the_model() -> None:
    model = resnet.resnet18(n_classes=10, depths=(1, 1, 1, 1))
    assert model.fc is not None and model.fc.out_features == 10
    with pytest.raises(TypeError):
        resnet.resnet18(classes=10)
