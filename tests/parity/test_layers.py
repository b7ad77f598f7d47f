"""Каждый слой каждой модели даёт те же числа, что у оригинала."""

from pathlib import Path

import pytest
import torch

from tests.parity.compare import compare_files, compare_layers, compare_training_step
from tests.parity.pairs import PAIRS, Pair

by_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)


@by_pair
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_every_layer_equals_the_original(pair: Pair, dtype: torch.dtype, tmp_path: Path) -> None:
    ours, reference = pair.build(tmp_path, dtype)
    compare_layers(pair, ours, reference, dtype)


@by_pair
def test_what_is_written_equals_what_was_read(pair: Pair, tmp_path: Path) -> None:
    ours, reference = pair.build(tmp_path / "read", torch.float32)
    compare_files(pair, ours, reference, tmp_path)


@by_pair
def test_one_training_step_equals_the_original(pair: Pair, tmp_path: Path) -> None:
    ours, reference = pair.build(tmp_path)
    compare_training_step(pair, ours, reference)
