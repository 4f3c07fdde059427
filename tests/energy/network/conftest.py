"""Networks as users of the libraries write them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn


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
