from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import neurt
from reports import Run


class Neuron(nn.Module):
    def forward(self, current: Tensor) -> Tensor:
        return (current > 0).to(current.dtype)


@pytest.fixture(scope="session")
def network_run() -> Run:
    """An inference of a network: two layers with neurons between them, at one time step."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 6), Neuron(), nn.Linear(6, 2))
    return neurt.profile_module(
        layers, torch.rand(3, 4), hw="45nm", neurons={Neuron: "binary"}, timesteps=1
    )
