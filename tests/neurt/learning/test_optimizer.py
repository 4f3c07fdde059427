from __future__ import annotations

import pytest
import torch
from torch import nn

from neurt.learning.checkpoint import restore, state_tensors
from neurt.learning.optimizer import adamw, learning_rate
from neurt.requests.training import TrainingSettings

SETTINGS = TrainingSettings(steps=13, batch=1, tokens=2, learning_rate=1.0, warmup_steps=4)


def test_the_rate_rises_linearly_then_falls_as_a_cosine_to_a_tenth() -> None:
    rates = [learning_rate(SETTINGS, step) for step in range(13)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    # Steps 4 to 12 are the cosine from 0 to pi: 0.55 + 0.45 cos(pi / 4) at step 6, 0.55 at step 8.
    assert rates[6] == pytest.approx(0.868198, abs=1e-6)
    assert rates[8] == pytest.approx(0.55)
    assert rates[12] == pytest.approx(0.1)


def test_the_rate_may_stay() -> None:
    settings = SETTINGS.model_copy(update={"schedule": "constant"})
    assert [learning_rate(settings, step) for step in (0, 3, 4, 12)] == [0.25, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_short_training_has_a_rate(steps: int) -> None:
    settings = TrainingSettings(steps=steps, batch=1, tokens=2, learning_rate=1.0)
    rates = [learning_rate(settings, step) for step in range(steps)]
    assert rates == pytest.approx([1.0, 0.1][:steps])


def test_only_matrices_decay() -> None:
    trained = {
        "matrix": nn.Parameter(torch.full((2, 2), 8.0)),
        "bias": nn.Parameter(torch.full((2,), 8.0)),
    }
    optimizer = adamw(trained, SETTINGS.model_copy(update={"weight_decay": 0.5}))
    for parameter in trained.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert trained["matrix"].tolist() == [[4.0, 4.0], [4.0, 4.0]]  # 8 (1 - 1.0 x 0.5)
    assert trained["bias"].tolist() == [8.0, 8.0]


def test_what_was_taken_out_is_put_back() -> None:
    def fresh() -> tuple[dict[str, nn.Parameter], torch.optim.AdamW]:
        torch.manual_seed(0)
        trained = {"a.b": nn.Parameter(torch.randn(2, 3)), "idle": nn.Parameter(torch.randn(3))}
        return trained, adamw(trained, SETTINGS)

    def step(trained: dict[str, nn.Parameter], optimizer: torch.optim.AdamW, seed: int) -> None:
        torch.manual_seed(seed)
        trained["a.b"].grad = torch.randn(2, 3)
        optimizer.step()

    one, two = fresh(), fresh()
    step(*one, seed=1)
    tensors = {name: tensor.clone() for name, tensor in state_tensors(*one).items()}
    assert sorted(tensors) == [
        "exp_avg/a.b",
        "exp_avg_sq/a.b",
        "parameter/a.b",
        "parameter/idle",
        "step/a.b",
    ]  # a parameter without a gradient has no moments
    restore(tensors, *two)
    step(*one, seed=2)
    step(*two, seed=2)
    assert torch.equal(one[0]["a.b"], two[0]["a.b"])
