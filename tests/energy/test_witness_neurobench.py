"""NeuroBench 2.3 counts the effective MACs and ACs of the same layers."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from lemaire_paper import Conv, dense_conv, spiking_conv
from torch import Tensor, nn

from energy import Conventions, Levels, count_events, count_pass, formulas

pytest.importorskip("neurobench", reason="needs neurobench 2.3, see the README")
workload: Any = pytest.importorskip("neurobench.metrics.workload", reason="needs snntorch")
from neurobench.models import TorchModel  # noqa: E402

FAN_IN, FAN_OUT, ROWS = 24, 40, 6


def theirs(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Its metric on one batch: totals, from its means per sample."""
    net = TorchModel(nn.Sequential(model))
    net.register_hooks()
    with torch.no_grad():
        out = net(x)
    found = workload.SynapticOperations()(net, out, (x, None))
    net.cleanup_hooks()
    return {key: round(value * len(x)) for key, value in found.items()}


def drawn(kind: Levels | None, *shape: int) -> Tensor:
    torch.manual_seed(5)
    events = (torch.rand(shape) < 0.3).float()
    if kind is Levels.TERNARY:
        events *= torch.where(torch.rand(shape) < 0.5, -1.0, 1.0)
    return events if kind else events * torch.randn(shape)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("levels", [Levels.BINARY, Levels.TERNARY])
def test_accumulates_are_equal(levels: Levels, bias: bool) -> None:
    x = drawn(levels, ROWS, FAN_IN)
    events = count_events(x, levels, "linear")
    ours = formulas.event_linear(ROWS, FAN_IN, FAN_OUT, events, bias=bias, levels=levels)
    assert events > 0
    # A bias is an operation for neither of us.
    assert theirs(nn.Linear(FAN_IN, FAN_OUT, bias=bias), x) == {
        "Effective_ACs": ours.ops[levels.op],
        "Effective_MACs": 0,
        "Dense": ours.dense_macs,
    }


def test_multiply_accumulates_are_equal_but_for_zero_activations() -> None:
    model, x = nn.Linear(FAN_IN, FAN_OUT), drawn(None, ROWS, FAN_IN)
    net = nn.Sequential(model)
    counts = count_pass(net, lambda: net(x), variant="asa", conventions=Conventions(zeros=True))
    tally = counts.layer("0").tally
    assert tally.zero_macs is not None
    assert tally.zero_macs > 0
    found = theirs(model, x)
    # A dense machine multiplies zeros, too; a MAC is effective where both operands are not zero.
    assert found["Effective_MACs"] == tally.dense_macs - tally.zero_macs
    assert found["Dense"] == tally.dense_macs
    assert found["Effective_ACs"] == 0


def test_zero_weights_are_skipped_by_them_alone() -> None:
    model, x = nn.Linear(FAN_IN, FAN_OUT), drawn(Levels.BINARY, ROWS, FAN_IN)
    with torch.no_grad():
        model.weight[:7, :3] = 0  # 7 targets of each event in the first 3 inputs
    ours = formulas.event_linear(
        ROWS, FAN_IN, FAN_OUT, int(x.sum()), bias=True, levels=Levels.BINARY
    )
    skipped = 7 * int(x[:, :3].sum())
    assert skipped > 0
    assert ours.ops[Levels.BINARY.op] - theirs(model, x)["Effective_ACs"] == skipped


def test_a_scaled_spike_is_a_multiplication_for_them() -> None:
    # {0, 0.5}: our scale belongs to the weight, so declared spikes stay accumulates; they judge
    # by values. The number is the same.
    x = drawn(Levels.BINARY, ROWS, FAN_IN)
    found = theirs(nn.Linear(FAN_IN, FAN_OUT), 0.5 * x)
    assert (found["Effective_MACs"], found["Effective_ACs"]) == (int(x.sum()) * FAN_OUT, 0)


CONVS = [
    (Conv((2, 4), (9, 8, 7, 6), 3), 0),
    (Conv((3, 5), (9, 8, 9, 8), 3), 1),
    (Conv((2, 4), (9, 9, 5, 5), 3, stride=2), 1),
]


def reached(conv: Conv, padding: int) -> Tensor:
    """How many places of the output each place of the input reaches, by going through all."""
    reach = torch.zeros(conv.sizes[:2])
    for out in product(range(conv.sizes[2]), range(conv.sizes[3])):
        for tap in product(range(conv.kernel), repeat=2):
            at = tuple(o * conv.stride + t - padding for o, t in zip(out, tap, strict=True))
            if all(0 <= a < size for a, size in zip(at, conv.sizes[:2], strict=True)):
                reach[at] += 1
    return reach


@pytest.mark.parametrize(("conv", "padding"), CONVS)
def test_a_padded_border_is_charged_by_the_paper_and_not_by_them(conv: Conv, padding: int) -> None:
    model = nn.Conv2d(*conv.channels, conv.kernel, conv.stride, padding)
    reach = reached(conv, padding)
    taps = conv.sizes[2] * conv.sizes[3] * conv.kernel**2
    border = int(taps - reach.sum()) * conv.channels[0] * conv.channels[1]
    assert bool(border) == bool(padding)
    x = drawn(Levels.BINARY, 1, conv.channels[0], *conv.sizes[:2])
    found = theirs(model, x)
    assert dense_conv(conv).mac - found["Dense"] == border

    # Lemaire et al. charge each spike as if it lay in the middle: ceil(k / S)^2 places.
    ours = spiking_conv(conv, int(x.sum()), 0, timesteps=1, leak=False)
    synaptic = ours.acc - conv.outputs  # without biases
    middle = (-(-conv.kernel // conv.stride)) ** 2
    missed = int((x.sum(1) * (middle - reach)).sum()) * conv.channels[1]
    assert synaptic - found["Effective_ACs"] == missed
