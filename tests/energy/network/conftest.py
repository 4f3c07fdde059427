"""Networks as users of the libraries write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import Counts
from energy.network.count import Asked, count_network


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


class Fires(nn.Module):
    """A neuron without a state that sends one where its input is above zero."""

    def forward(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)


@pytest.fixture
def fires() -> type[Fires]:
    return Fires


class Through(nn.Module):
    """Neurons, something of their spikes, and a layer that takes what comes out."""

    def __init__(self, use: Callable[..., Tensor], fan_in: int) -> None:
        super().__init__()
        self.neuron, self.other, self.use = Fires(), Fires(), use
        self.fc = nn.Linear(fan_in, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.use(self.neuron(x), self.other(-x)))
        return out


def through(use: Callable[..., Tensor], fan_in: int = 8) -> tuple[Counts, Tensor, Any]:
    """The counts, what arrived at the layer, and where spikes end."""
    net, x = Through(use, fan_in), torch.randn(2, 4, 8)
    arrived: list[Tensor] = []
    net.fc.register_forward_pre_hook(lambda _module, args: arrived.append(args[0].clone()))
    counted = count_network(net, (x,), Asked(1, {Fires: "binary"}))
    return counted.ssa, arrived[0], counted.ends
