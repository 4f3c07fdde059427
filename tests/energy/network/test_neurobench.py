"""NeuroBench 2.3 counts the effective operations of the same networks, layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from energy import count_module
from hwmodels import Op

pytest.importorskip("neurobench", reason="needs neurobench 2.3, see the README")
workload: Any = pytest.importorskip("neurobench.metrics.workload", reason="needs snntorch")
snn: Any = pytest.importorskip("snntorch", reason="needs snntorch")
from neurobench.models import TorchModel  # noqa: E402


def theirs(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Its metric on one batch: totals, from its means per sample."""
    net = TorchModel(model)
    net.register_hooks()
    with torch.no_grad():
        out = net(x)
    found = workload.SynapticOperations()(net, out, (x, None))
    net.cleanup_hooks()
    return {key: round(value * len(x)) for key, value in found.items()}


def test_a_convolutional_network_of_snntorch() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Flatten(),
        nn.Linear(64, 5),
    )
    x = 4 * torch.rand(2, 1, 8, 8)
    ours = count_module(net, x, timesteps=1)
    found = theirs(net, x)
    assert found["Effective_ACs"] == ours.total(Op.AC) > 0
    # No pixel is zero, so all MACs are effective; both leave the border out.
    assert found["Effective_MACs"] == ours.total(Op.MAC)
    assert found["Dense"] == ours.dense_macs


def test_weights_of_zero_are_left_out_by_them_alone() -> None:
    net = nn.Sequential(snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(6, 4, bias=False))
    with torch.no_grad():
        net[1].weight[:3] = 0  # 3 of 4 targets of each event
    x = torch.full((5, 6), 2.0)
    assert count_module(net, x, timesteps=1).total(Op.AC) == 5 * 6 * 4
    assert theirs(net, x)["Effective_ACs"] == 5 * 6
