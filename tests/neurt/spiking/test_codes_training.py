"""Gradients through the codes, and the activity that training asks for."""

from __future__ import annotations

import pytest
import torch
from codes import RANGED, SPIKING, coder, inputs

from energy import count_events
from neurt.spiking.config import Code


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("code", Code)
def test_the_gradient_passes_straight_through(code: Code, trained: bool) -> None:
    neuron = coder(code, 4, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    neuron.threshold.requires_grad_(trained)
    x, weights = inputs().requires_grad_(), inputs(seed=1)
    (neuron.decode(neuron(x)) * weights).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weights)


@pytest.mark.parametrize("code", RANGED)
def test_the_threshold_learns_from_what_is_clipped(code: Code) -> None:
    # Of 10^6 thresholds all but the range is lost: d value / d threshold = (value - x) / threshold.
    neuron = coder(code, 4, [1.0])
    neuron.threshold.requires_grad_(True)
    x = torch.tensor([1e6])
    value = neuron.decode(neuron(x))
    value.sum().backward()
    assert neuron.threshold.grad is not None
    assert neuron.threshold.grad.item() == pytest.approx(value.item() - 1e6, rel=1e-4)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("timesteps", [1, 4])
@pytest.mark.parametrize("code", Code)
def test_training_sees_the_events_that_inference_sends(
    code: Code, timesteps: int, trained: bool
) -> None:
    neuron = coder(code, timesteps, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    neuron.threshold.requires_grad_(trained)
    x = inputs()
    with torch.no_grad():
        plain = neuron(x)
        plain_value = neuron.decode(plain)
    events = neuron(x.clone().requires_grad_())
    assert events.requires_grad
    assert torch.equal(events, plain)
    # bit for bit, the sign of zero aside
    value = neuron.decode(events.detach()) + 0.0
    assert torch.equal(value.view(torch.int32), (plain_value + 0.0).view(torch.int32))


@pytest.mark.parametrize("code", Code)
def test_inference_keeps_no_graph(code: Code) -> None:
    neuron = coder(code, 4, [0.5] * 6)
    neuron.threshold.requires_grad_(True)
    neuron.watched = True
    with torch.no_grad():
        events = neuron(inputs().requires_grad_())
    assert events.grad_fn is None
    # Who watches hears of the events without gradients too; analog values are no events.
    assert (neuron.activity is None) == (code is Code.EXACT)
    assert neuron.activity is None or neuron.activity.grad_fn is None


@pytest.mark.parametrize("code", SPIKING)
@pytest.mark.parametrize("timesteps", [1, 4])
def test_activity_is_what_is_counted_per_value(code: Code, timesteps: int) -> None:
    neuron = coder(code, timesteps, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    x = inputs()
    neuron(x)
    assert neuron.activity is None
    neuron.watched = True
    events = neuron(x)
    assert neuron.activity is not None
    counted = count_events(events.detach(), code.levels, "x")
    assert counted > 0
    assert neuron.activity.item() == pytest.approx(counted / x.numel(), rel=1e-5)


@pytest.mark.parametrize("code", SPIKING)
def test_a_higher_threshold_would_be_sparser_and_activity_says_so(code: Code) -> None:
    neuron = coder(code, 4, [0.1, 0.3, 1.0, 3.0, 0.7, 1.3])
    neuron.threshold.requires_grad_(True)
    neuron.watched = True
    neuron(inputs())
    assert neuron.activity is not None
    neuron.activity.backward()
    assert neuron.threshold.grad is not None
    assert bool((neuron.threshold.grad < 0).all())
