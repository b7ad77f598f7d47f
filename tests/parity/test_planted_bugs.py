"""Сверки ловят ошибки: каждая известная ошибка сажается в копию модели, и сверка обязана упасть на нужном слое.

Ошибки — из таблицы того, что проверки свежих моделей не видят: там сдвиги равны нулю, а нормы — единице.
"""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modern_nets.checkpoints import Pretrained
from tests.parity.compare import compare_files, compare_layers, compare_training_step
from tests.parity.pairs import BY_NAME

Bug = Callable[[Pretrained], None]


def swap_norms(model: Pretrained) -> None:
    block = model.blocks[1]
    block.norm_1, block.norm_2 = block.norm_2, block.norm_1


def drop_bias(path: str) -> Bug:
    def plant(model: Pretrained) -> None:
        model.get_submodule(path).bias = None

    return plant


def forget_running_mean(model: Pretrained) -> None:
    model.get_submodule("layer2.0.bn1").running_mean.zero_()


def exact_gelu(model: Pretrained) -> None:
    model.blocks[1].mlp.activation = F.gelu


def other_epsilon(model: Pretrained) -> None:
    model.blocks[1].norm_1.eps = 1e-6


def forget_transpose(model: Pretrained) -> None:
    weight = model.blocks[1].attention.output.weight
    weight.data = weight.data.T.clone()


def swap_query_and_key(model: Pretrained) -> None:
    attention = model.blocks[1].attention
    attention.query, attention.key = attention.key, attention.query


def other_momentum(model: Pretrained) -> None:
    model.get_submodule("layer2.0.bn1").momentum = 0.01


def unscaled_scores(model: Pretrained) -> None:
    query = model.blocks[1].attention.query
    query.weight.data *= 1.01


def shift_positions(model: Pretrained) -> None:
    weight = model.position_embedding.weight
    weight.data = weight.data.roll(1, 0)


def stride_in_first_convolution(model: Pretrained) -> None:
    block = model.get_submodule("layer2.0")
    block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)


def separate_head(model: Pretrained) -> None:
    """Голова получает свою копию таблицы эмбеддингов, и градиент в таблицу через голову не идёт."""
    frozen = model.token_embedding.weight.detach()
    original = model.forward

    def forward(input_ids: Tensor) -> object:
        output = original(input_ids)
        return output._replace(logits=F.linear(output.last_hidden_state, frozen))

    model.forward = forward


def no_segments(model: Pretrained) -> None:
    original = model.forward
    model.forward = lambda input_ids, attention_mask, token_type_ids: original(input_ids, attention_mask)


def first_mask_for_all(model: Pretrained) -> None:
    original = model.forward
    model.forward = lambda input_ids, attention_mask, token_type_ids: original(
        input_ids, attention_mask[:1].expand_as(attention_mask), token_type_ids
    )


SEEN_IN_LAYERS = [
    ("bert", swap_norms, "blocks.1.norm_1"),
    ("bert", drop_bias("blocks.1.attention.query"), "blocks.1.attention"),
    ("bert", swap_query_and_key, "blocks.1.attention"),
    ("bert", unscaled_scores, "blocks.1.attention"),
    ("bert", no_segments, "embedding_norm"),
    ("bert", first_mask_for_all, "blocks.0.attention"),
    ("bert", shift_positions, "embedding_norm"),
    ("gpt2", exact_gelu, "blocks.1.mlp"),
    ("gpt2", forget_transpose, "blocks.1.attention"),
    ("gpt2", shift_positions, "dropout"),
    ("vit", other_epsilon, "blocks.1.norm_1"),
    ("resnet-basic", forget_running_mean, "layer2.0"),
    ("resnet-torchvision-basic", forget_running_mean, "layer2.0"),
    ("resnet-bottleneck", stride_in_first_convolution, "layer2.0"),
]


def bug_name(value: object) -> str:
    return getattr(value, "__qualname__", str(value)).split(".")[0]


@pytest.mark.parametrize(("pair", "plant", "layer"), SEEN_IN_LAYERS, ids=bug_name)
def test_layer_comparison_names_the_broken_layer(pair: str, plant: Bug, layer: str, tmp_path: Path) -> None:
    ours, reference = BY_NAME[pair].build(tmp_path)
    plant(ours)
    with pytest.raises(AssertionError, match=rf"^{layer}: отличие"):
        compare_layers(BY_NAME[pair], ours, reference, torch.float64)


@pytest.mark.parametrize("pair", ["bert", "gpt2", "vit"])
def test_file_comparison_sees_a_dropped_key_bias(pair: str, tmp_path: Path) -> None:
    """Сдвиг ключа на выход не влияет: softmax не замечает прибавленного ко всем; его потерю видно только в файле."""
    ours, reference = BY_NAME[pair].build(tmp_path / "read")
    twin = copy.deepcopy(ours)
    nn.init.zeros_(twin.blocks[1].attention.key.bias)
    compare_layers(BY_NAME[pair], twin, reference, torch.float64)
    with pytest.raises(AssertionError, match="не тот тензор"):
        compare_files(BY_NAME[pair], twin, reference, tmp_path)


def test_training_step_sees_another_batch_norm_momentum(tmp_path: Path) -> None:
    pair = BY_NAME["resnet-torchvision-basic"]
    ours, reference = pair.build(tmp_path)
    other_momentum(ours)
    compare_layers(pair, ours, reference, torch.float64)
    with pytest.raises(AssertionError, match=r"буфер layer2\.0\.bn1\.running_mean"):
        compare_training_step(pair, ours, reference)


def test_training_step_sees_an_untied_head(tmp_path: Path) -> None:
    pair = BY_NAME["gpt2"]
    ours, reference = pair.build(tmp_path)
    separate_head(ours)
    compare_layers(pair, ours, reference, torch.float64)
    with pytest.raises(AssertionError, match=r"градиент wte\.weight"):
        compare_training_step(pair, ours, reference)
