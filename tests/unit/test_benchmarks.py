"""Замер скорости: пары считают одно и то же, а сам замер работает. Время здесь не проверяется."""

import dataclasses

import pytest
import torch

from benchmarks import memory
from benchmarks.generation import SMALL, Writing
from benchmarks.models import FORWARD, OURS, REFERENCE, STEP, cases, check_equal
from benchmarks.timing import Comparison, compare, count_flops, matmul_share

TINY = cases(tiny=True)


@pytest.mark.parametrize("name", TINY)
def test_pair_counts_the_same(name, tmp_path):
    case = TINY[name]
    if not case.is_available:
        pytest.skip(f"не установлен {case.needs}")
    case.save(tmp_path)
    ours, reference = case.load(OURS, tmp_path), case.load(REFERENCE, tmp_path)
    if case.same_weights:
        check_equal(case, ours, reference)
    n_ours, n_theirs = (sum(p.numel() for p in model.parameters()) for model in (ours, reference))
    # У vit-pytorch нет сдвигов у проекций внимания и есть лишние нормализации.
    assert n_ours == pytest.approx(n_theirs, rel=0 if case.same_weights else 0.05)
    for task in case.tasks:
        times = compare(case.work(task, ours), case.work(task, reference), rounds=1)
        assert times.ratio > 0


def test_training_step_changes_both_the_same_way(tmp_path):
    case = TINY["vit"]  # у неё нет dropout
    case.save(tmp_path)
    losses = []
    for side in (OURS, REFERENCE):
        step = case.work(STEP, case.load(side, tmp_path))
        losses.append(torch.stack([step(), step()]))
    assert losses[0][0] != losses[0][1]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-4, rtol=1e-4)


def test_different_models_are_noticed(tmp_path):
    case = TINY["bert"]
    case.save(tmp_path)
    ours, reference = case.load(OURS, tmp_path), case.load(REFERENCE, tmp_path)
    with torch.no_grad():
        ours.position_embedding.weight.mul_(-1)
    with pytest.raises(AssertionError):
        check_equal(case, ours, reference)


def test_generation(tmp_path):
    writing = Writing("", dataclasses.replace(SMALL, d_model=32, n_layers=2), target=1, n_tokens=5)
    ours, theirs = writing.pair(tmp_path)
    assert torch.equal(ours(), theirs())


def test_comparison():
    times = Comparison(ours=[1, 2, 3, 4, 100], reference=[2, 2, 2, 2, 2])
    assert times.ratio == 1.5
    assert times.spread == (1, 2)


def test_flops_are_those_of_the_matrix_products():
    case = TINY["bert"]
    n_batch, n_tokens = case.inputs["input_ids"].shape
    d, d_mlp, n_layers = 32, 64, 2
    weights = n_batch * n_tokens * (4 * d * d + 2 * d * d_mlp)
    attention = 2 * n_batch * n_tokens * n_tokens * d  # QKᵀ и умножение весов на V
    pooler = n_batch * d * d
    assert count_flops(case) == 2 * (n_layers * (weights + attention) + pooler)


def test_share_of_a_matrix_product():
    case = TINY["bert"]
    assert 0 < matmul_share(case, case.work(FORWARD, case.build()), rounds=1) < 1


@pytest.mark.skipif(not memory.IS_AVAILABLE, reason="память меряется только под Linux")
def test_memory_grows_by_what_the_work_takes(tmp_path):
    case = TINY["vit"]
    case.save(tmp_path)
    assert 0 <= memory.growth(case, FORWARD, OURS, tmp_path) < 1e9
