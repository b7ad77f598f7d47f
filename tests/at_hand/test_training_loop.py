"""Обучение, которое прервали: продолжается с чекпоинта и приходит к тем же весам."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modern_nets.training import loop
from modern_nets.training.loop import CHECKPOINT, Plan, train

PLAN = Plan(n_steps=12, learning_rate=0.05, save_every=4)


class Interrupted(Exception):
    pass


def network(width: int = 5) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.5), nn.Linear(width, 2))


def learn(model: nn.Module, folder: Path, plan: Plan = PLAN, stop_after: int | None = None) -> loop.History:
    calls = 0

    def draw(step: int) -> tuple[Tensor]:
        nonlocal calls
        if calls == stop_after:
            raise Interrupted
        calls += 1
        return (torch.randn(8, 3),)

    def loss_of(model: nn.Module, x: Tensor) -> Tensor:
        return (model(x)[:, 0] - x.sum(1)).square().mean()

    return train(model, draw, loss_of, plan, folder)


def test_interrupted_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole, broken, resumed = network(), network(), network()
    learn(whole, tmp_path / "whole")
    with pytest.raises(Interrupted):
        learn(broken, tmp_path / "run", stop_after=10)
    history = learn(resumed, tmp_path / "run")
    assert len(history.losses) == 4, "сделаны не только шаги после чекпоинта"
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert not resumed.training


def test_only_matrices_decay(tmp_path: Path) -> None:
    """Без градиента вес меняет одно затухание, а оно — только у матриц."""
    model = nn.Linear(3, 2)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    plan = Plan(n_steps=3, learning_rate=0.1, weight_decay=0.5)

    def loss_of(model: nn.Module, x: Tensor) -> Tensor:
        return 0 * model(x).sum()

    train(model, lambda step: (torch.ones(2, 3),), loss_of, plan, tmp_path)
    assert torch.equal(model.bias, torch.ones(2))
    assert (model.weight < 0.99).all()


def test_finished_run_is_not_repeated(tmp_path: Path) -> None:
    """Сломалось измерение — обученные веса ещё в чекпоинте."""
    first, second = network(), network()
    pace = learn(first, tmp_path).seconds_per_step
    history = learn(second, tmp_path)
    assert history == loop.History([], pace)
    assert torch.equal(first[0].weight, second[0].weight)
    loop.forget(tmp_path)
    assert len(learn(second, tmp_path).losses) == PLAN.n_steps


def test_run_does_not_depend_on_randomness_spent_before(tmp_path: Path) -> None:
    first, second = network(), network()
    learn(first, tmp_path / "a")
    torch.rand(1000)
    learn(second, tmp_path / "b")
    assert torch.equal(first[0].weight, second[0].weight)


def test_seeds_differ(tmp_path: Path) -> None:
    first, second = network(), network()
    learn(first, tmp_path / "a")
    learn(second, tmp_path / "b", replace(PLAN, seed=1))
    assert not torch.equal(first[0].weight, second[0].weight)


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    with pytest.raises(Interrupted):
        learn(network(), tmp_path, stop_after=6)
    return tmp_path


def test_checkpoint_of_another_plan_is_refused(interrupted: Path) -> None:
    with pytest.raises(ValueError, match=r"по другому плану.*удалите .*checkpoint"):
        learn(network(), interrupted, replace(PLAN, learning_rate=0.1))


def test_checkpoint_of_another_model_is_refused(interrupted: Path) -> None:
    with pytest.raises(ValueError, match="от другой модели"):
        learn(network(width=6), interrupted)


def test_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    models = [network(), network()]
    for model, dropout in zip(models, (0.1, 0.2), strict=True):
        model.config = f"dropout={dropout}"
    with pytest.raises(Interrupted):
        learn(models[0], tmp_path, stop_after=6)
    with pytest.raises(ValueError, match="с другими настройками"):
        learn(models[1], tmp_path)


def test_torn_checkpoint_is_refused_and_kept(interrupted: Path) -> None:
    path = interrupted / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match="повреждён"):
        learn(network(), interrupted)
    assert path.exists()


def test_failed_save_leaves_the_previous_checkpoint(interrupted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (interrupted / CHECKPOINT).read_bytes()

    def full_disk(tensors: object, path: Path, metadata: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("нет места")

    monkeypatch.setattr(loop, "save_file", full_disk)
    with pytest.raises(OSError, match="нет места"):
        learn(network(), interrupted)
    assert (interrupted / CHECKPOINT).read_bytes() == before
    assert [path.name for path in interrupted.iterdir()] == [CHECKPOINT]


def test_loss_that_is_not_a_number_stops_before_the_checkpoint_is_spoilt(interrupted: Path) -> None:
    before = (interrupted / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match=r"Шаг 5: потери — nan. Скорость обучения"):
        train(network(), lambda _: (torch.randn(8, 3),), lambda net, x: net(x).sum() * float("nan"), PLAN, interrupted)
    assert (interrupted / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("change", [{"n_steps": 0}, {"learning_rate": float("nan")}, {"save_every": 0}, {"seed": -1}])
def test_impossible_plans_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match="а пришло"):
        replace(PLAN, **change)


def test_checkpoint_of_a_frozen_model_is_refused(interrupted: Path) -> None:
    frozen = network()
    frozen[0].requires_grad_(False)
    with pytest.raises(ValueError, match="с другими настройками"):
        learn(frozen, interrupted)


def test_learning_rate_rises_then_falls_to_a_tenth() -> None:
    plan = replace(PLAN, n_steps=1000, warmup=0.1)
    rates = [loop.schedule(step, plan) for step in range(1000)]
    assert rates[99] == pytest.approx(1.0)
    assert rates[:100] == sorted(rates[:100])
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
