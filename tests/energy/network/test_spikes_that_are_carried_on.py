"""Operations of torch that carry spikes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from energy import count_module
from hwmodels import Op
from tests.energy.network.conftest import Fires, through

CARRY: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "nothing": (lambda a, b: a, 8),
    "view": (lambda a, b: a.view(8, 8), 8),
    "reshape": (lambda a, b: a.transpose(0, 1).reshape(8, 8), 8),
    "permute": (lambda a, b: a.permute(1, 2, 0), 2),
    "flatten": (lambda a, b: nn.Flatten()(a), 32),
    "contiguous": (lambda a, b: a.mT.contiguous(), 4),
    "clone": (lambda a, b: a.clone().detach(), 8),
    "casts": (lambda a, b: a.to(torch.float64).bool().float(), 8),
    "index": (lambda a, b: a[:, torch.tensor([2, 0])], 8),
    "mask": (lambda a, b: a[:, torch.tensor([True, False, True, True])], 8),
    "slice": (lambda a, b: a[..., ::2], 4),
    "gather": (lambda a, b: a.index_select(1, torch.tensor([3, 3])), 8),
    "cat": (lambda a, b: torch.cat((a, b), -1), 16),
    "stack": (lambda a, b: torch.stack((a, b)), 8),
    "split": (lambda a, b: torch.cat(a.split(4, -1)[::-1], -1), 8),
    "max pooling": (lambda a, b: nn.MaxPool1d(2)(a), 4),
    "the larger one": (lambda a, b: torch.maximum(a, b), 8),
    "dropout": (lambda a, b: nn.Dropout(0.5).eval()(a), 8),
    "identity": (lambda a, b: nn.Identity()(a), 8),
    "padding": (lambda a, b: nn.functional.pad(a, (1, 1)), 10),
    "circular padding": (lambda a, b: nn.functional.pad(a, (1, 1), mode="circular"), 10),
    "reflection": (lambda a, b: nn.functional.pad(a, (1, 1), mode="reflect"), 10),
    "nearest": (lambda a, b: nn.functional.interpolate(a, scale_factor=2), 16),
    "repeat": (lambda a, b: a.repeat(1, 2, 1), 8),
    "expand": (lambda a, b: a[:, :1].expand(2, 4, 8), 8),
    "roll": (lambda a, b: a.roll(1, -1).flip(1), 8),
    "and": (lambda a, b: a * b.roll(1, 0), 8),
    "sum": (lambda a, b: a + b, 8),
    "sum in place": (lambda a, b: a.clone().add_(b), 8),
    "difference": (lambda a, b: a - b, 8),
    "not": (lambda a, b: (1 - a) * b, 8),
    "scale": (lambda a, b: 0.125 * a, 8),
    "both scaled": (lambda a, b: a / 4 + b * 0.25, 8),
    "relu": (lambda a, b: a.relu(), 8),
    "where": (lambda a, b: torch.where(b > 0, 0, a), 8),
    "masked": (lambda a, b: a.masked_fill(b.bool(), 0), 8),
    "recorded": (lambda a, b: _recorded(a), 8),
    "a mean of one": (lambda a, b: a.unsqueeze(2).mean(2), 8),
    "pooling to its size": (lambda a, b: nn.AdaptiveAvgPool2d((4, 8))(a), 8),
    "tril": (lambda a, b: a.tril(), 8),
    "logical and": (lambda a, b: torch.logical_and(a.bool(), b.roll(1, 0).bool()).float(), 8),
    "logical or": (lambda a, b: torch.logical_or(a, b.roll(1, 0)).float(), 8),
    "bits and": (lambda a, b: (a.bool() & b.roll(1, 0).bool()).float(), 8),
    "bits or": (lambda a, b: (a.bool() | b.roll(1, 0).bool()).float(), 8),
    "bits not": (lambda a, b: (~a.bool()).float(), 8),
    "xor": (lambda a, b: (a.bool() ^ b.roll(1, 0).bool()).float(), 8),
    "not zero": (lambda a, b: (a != 0).float(), 8),
    "both": (lambda a, b: (a + b.roll(1, 0) >= 2).float(), 8),
    "or by clamp": (lambda a, b: (a + b.roll(1, 0)).clamp(0, 1), 8),
    "or by a limit": (lambda a, b: (a + b.roll(1, 0)).clamp(max=1), 8),
    "or by hardtanh": (lambda a, b: nn.functional.hardtanh(a + b, 0, 1), 8),
    "relu6": (lambda a, b: nn.functional.relu6(a + b), 8),
    "leaky relu": (lambda a, b: nn.functional.leaky_relu(a), 8),
    "prelu": (lambda a, b: nn.PReLU()(a), 8),
    "negative": (lambda a, b: b - (-a), 8),
    "sign": (lambda a, b: (a - b).sign(), 8),
    "square": (lambda a, b: (a - b) ** 2, 8),
    "where it spikes": (lambda a, b: torch.where(a > 0, 1.0, 0.0), 8),
    "dropout that goes on": (lambda a, b: nn.functional.dropout(a, 0.5, training=True), 8),
}


def _recorded(a: Tensor) -> Tensor:
    rec = torch.zeros(2, 4, 8)
    for step in range(2):
        rec[step] = a[step]
    return rec


UNITS = {"scale": 0.125, "both scaled": 0.25, "dropout that goes on": 2}


@pytest.mark.parametrize("name", CARRY)
def test_spikes_are_carried_on(name: str) -> None:
    use, fan_in = CARRY[name]
    counts, arrived, ends = through(use, fan_in)
    tally = counts.layer("fc").tally
    unit = UNITS.get(name, 1)
    # A value of n units is n events, each added to 3 accumulators.
    assert tally.ops.get(Op.AC, 0) == 3 * float(arrived.abs().sum()) / unit
    assert tally.ops.get(Op.MAC, 0) == 0
    assert tally.spikes > 0
    assert ends == ()


def test_a_sum_of_spikes_is_looked_at_again_once_something_is_written() -> None:
    class Sums(nn.Module):
        """Sums of spikes, before and after a term of them and they themselves are overwritten."""

        def __init__(self) -> None:
            super().__init__()
            self.neuron, self.conv = Fires(), nn.Conv2d(1, 1, 1)

        def forward(self, x: Tensor) -> list[Tensor]:
            spikes = self.neuron(x)
            total = spikes + spikes
            out = [self.conv(total)]
            spikes.zero_()
            out += [self.conv(total), self.conv(total + spikes)]
            total.mul_(0)
            return [*out, self.conv(total)]

    x = torch.randn(2, 1, 5, 5)
    counts = count_module(Sums(), x, timesteps=1, neurons={Fires: "binary"})
    # Two events for each of the spikes in the first three products, none in the last.
    assert counts.layer("conv").tally.ops[Op.AC] == 3 * 2 * int((x > 0).sum())
