"""Networks of a layer or two, counted in one pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from energy import Attention, Conventions, Counts, count_pass, counting, exposed_attention


def count(model: nn.Module, *args: Any, **kwargs: Any) -> Counts:
    with torch.no_grad(), counting(model) as meter:
        model(*args, **kwargs)
    return meter.counts("asa")


class Chain(nn.Module):
    """Two layers, the first used twice, and one that is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(4, 4)
        self.once = nn.Linear(4, 5, bias=False)
        self.unused = nn.Linear(7, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.once(self.twice(self.twice(x)))
        return out


class Wrapped(nn.Module):
    """A layer, used by a function of the layer and its input."""

    def __init__(self, layer: nn.Module, use: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.use = layer, use

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self.layer, x)


def count_exposed(
    model: Any, attention: Attention = Attention.FULL, *, fused: bool = True, **inputs: Any
) -> Counts:
    """A pass of a language model whose products of attention are seen."""
    with exposed_attention(model, fused=fused):
        return count_pass(
            model, lambda: model(**inputs), variant="asa", conventions=Conventions(attention)
        )
