from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from neurt.learning.objectives import Distillation
from neurt.learning.trained import moved, thresholds_of, trainable
from neurt.requests.finetune import Part
from neurt.spiking.config import Code, Form
from neurt.spiking.conversion import analog_of
from neurt.spiking.pow2 import PowerOfTwo

Pair = Callable[..., tuple[Any, Any]]

POW2 = {"form": Form.SOFTMAX, "code": Code.POW2}
EXACT = {"form": Form.SOFTMAX, "code": Code.EXACT}
ALONE = {"temperature": 1.0, "cross_entropy_weight": 0.0}


@pytest.fixture
def pair(converted: Callable[..., Any]) -> Pair:
    def make(*kind: str, **choices: Any) -> tuple[Any, Any]:
        model = converted(*kind, **choices)
        return copy.deepcopy(model), analog_of(model)

    return make


# From the analog model alone


def largest_slope(student: Any, objective: Distillation, ids: Tensor) -> float:
    objective(ids)["loss"].backward()
    slopes = [float(p.grad.abs().max()) for p in student.parameters() if p.grad is not None]
    student.zero_grad()
    return max(slopes)


def test_where_student_and_teacher_agree_the_teacher_alone_has_nothing_to_teach(
    pair: Pair, token_ids: Tensor, kind: str
) -> None:
    student, teacher = pair(kind, **EXACT)
    with trainable(student, [Part.ALL]):
        # At p = q the slope of KL(p || q) at each logit is q - p = 0; that of the text is not.
        assert largest_slope(student, Distillation(student, teacher, **ALONE), token_ids) < 1e-12
        assert largest_slope(student, Distillation(student, teacher), token_ids) > 1e-3


def test_the_loss_is_then_the_divergence(pair: Pair, token_ids: Tensor) -> None:
    student, teacher = pair(**POW2)
    found = Distillation(student, teacher, **ALONE)(token_ids)
    p, q = (m(token_ids).logits[:, :-1].log_softmax(-1).detach() for m in (teacher, student))
    kl = float((p.exp() * (p - q)).sum()) / (2 * 11)  # 2 windows of 12 tokens predict 11 each
    assert found["loss"].item() == pytest.approx(kl, rel=1e-9)
    assert found["kl"].item() == found["loss"].item()


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_the_text_has_the_weight_asked_for(pair: Pair, token_ids: Tensor, weight: float) -> None:
    student, teacher = pair(**POW2)
    found = Distillation(student, teacher, cross_entropy_weight=weight)(token_ids)
    expected = 4 * found["kl"].item() + weight * found["cross_entropy"].item()
    assert found["loss"].item() == pytest.approx(expected, rel=1e-9)


# Through silence


@pytest.mark.parametrize("resolution", [1.0, 0.25])
def test_the_gradient_passes_straight_through_silent_values_and_others(resolution: float) -> None:
    coder = PowerOfTwo(4, 3, quantile=None)
    coder.resolution = resolution
    coder.threshold.data.fill_(1.0)
    x = torch.tensor([[0.0, 0.5, -0.999, 5.3]], requires_grad=True)
    events = coder(x)
    assert (events != 0).any(0).tolist() == [[False, False, False, True]]
    (events.sum(0) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize("resolution", [1.0, 0.25])
def test_what_is_made_again_for_the_backward_pass_has_the_same_gradient(resolution: float) -> None:
    # Each coder forgets what it made in between; here nothing is forgotten.
    slopes = []
    for remembered in (True, False):
        coder = PowerOfTwo(8, 4, quantile=None)
        coder.resolution = resolution
        coder.threshold.data.copy_(torch.linspace(0.1, 2.0, 8)).requires_grad_(True)
        coder.threshold.requires_grad_(True)
        coder.watched = True
        x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
        if remembered:
            events, activity, active = coder.encode_differentiably(x, coder.threshold)
        else:
            events = coder(x)
            assert coder.activity is not None
            assert coder.active is not None
            activity, active = coder.activity, coder.active
        (events.square().sum() + 3 * activity + 5 * active).backward()
        assert coder.threshold.grad is not None
        slopes.append(coder.threshold.grad)
    assert torch.equal(*slopes)
    assert bool(slopes[0].any())


# Bytes


def test_weights_beyond_the_target_cost_their_share_of_it(pair: Pair, token_ids: Tensor) -> None:
    student, teacher = pair(**POW2)
    free = Distillation(student, teacher)(token_ids)
    spent = free["active_rate"].item()
    assert 0 < spent < 1
    for target, costs in ((spent / 1.5, 0.5), (spent, 0.0), (1.0, 0.0)):
        asked = Distillation(student, teacher, target_active_rate=target)(token_ids)
        assert asked["loss"].item() - free["loss"].item() == pytest.approx(costs, abs=1e-9)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("code", [Code.POW2, Code.SAR])
def test_weights_beyond_the_target_push_every_threshold_up(
    pair: Pair, token_ids: Tensor, kind: str, form: Form, code: Code
) -> None:
    student, teacher = pair(kind, form=form, code=code)
    objective = Distillation(student, teacher, target_active_rate=1e-6, **ALONE)
    with trainable(student, [Part.THRESHOLDS]):
        objective(token_ids)["loss"].backward()
        for block in objective.activity.blocks:
            for neuron, _weights in block.weights_fed:
                slope = neuron.parametrizations["threshold"].original.grad
                assert float(slope.sum()) < 0


# Thresholds that went far


def test_how_far_thresholds_went_is_said(pair: Pair) -> None:
    student, _ = pair(**POW2)
    before = thresholds_of(student)
    near = {name: 1.5 * x for name, x in before.items()}
    assert moved(before, near) == "Thresholds are 1.5 to 1.5 (median 1.5) times what they were."
    first = next(iter(before))
    far = near | {first: before[first] / 16}
    assert moved(before, far) == (
        "Thresholds are 0.0625 to 1.5 (median 1.5) times what they were; a lower "
        "--threshold-learning-rate keeps them closer."
    )
