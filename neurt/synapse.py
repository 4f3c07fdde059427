"""Layers that take spikes, with the parameters and the names of the dense layers they replace."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from energy import Levels, Tally, tally_call
from energy.formulas import Conventions, event_linear


class EventConv1D(Conv1D):
    """A `Conv1D` (GPT-2's linear layer, weight (in, out)) whose input is spikes.

    Args:
        fan_out: Output features.
        fan_in: Input features.
        levels: The values a spike may have.

    The size of a spike is per input channel and belongs to the synapse, y = b + (s * scale) W, so
    that the events themselves are units. Time steps are folded into the rows of the product.
    """

    def __init__(self, fan_out: int, fan_in: int, levels: Levels) -> None:
        super().__init__(fan_out, fan_in)  # type: ignore[no-untyped-call]
        self.levels = levels

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Currents (..., out) of spikes (..., in) whose size per channel is `scale` (in,)."""
        weight = self.weight if scale is None else self.weight * scale.unsqueeze(-1)
        rows = x.reshape(-1, x.shape[-1])
        return torch.addmm(self.bias, rows, weight).view(*x.shape[:-1], self.nf)


@tally_call.register
def _(
    layer: EventConv1D, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    x: Tensor = args[0]
    fan_in, fan_out = layer.weight.shape
    return {
        "": event_linear(
            x.numel() // fan_in,
            fan_in,
            fan_out,
            layer.levels.count_events(x, name),
            bias=True,
            bits_per_slot=layer.levels.bits_per_slot,
            value_bytes=x.element_size(),
        )
    }
