"""Layers that take spikes, with the parameters and the names of the dense layers they replace."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from energy import Levels, Tally, count_events, tally_call
from energy.formulas import Conventions, event_linear


class EventConv1D(Conv1D):
    """A `Conv1D` (GPT-2's linear layer, weight (in, out)) whose input is spikes.

    Args:
        fan_out: Output features.
        fan_in: Input features.
        levels: The values a spike may have.
        accumulate: Sum the currents of all time steps in the same accumulators: the readout of
            events (T, ..., in) is then one current (..., out). Otherwise each step has its own.

    The size of a spike is per input channel and belongs to the synapse, y = b + (s * scale) W, so
    that the events themselves carry no analog value.
    """

    def __init__(self, fan_out: int, fan_in: int, levels: Levels, *, accumulate: bool) -> None:
        super().__init__(fan_out, fan_in)  # type: ignore[no-untyped-call]
        self.levels = levels
        self.accumulate = accumulate
        #: Multiply each time step by itself, so that a second witness sees all of them.
        self.unfolded = False

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Currents (T, ..., out), or (..., out) if accumulated, of spikes (T, ..., in).

        Args:
            x: The spikes.
            scale: Size of a spike per channel (in,); None for 1.
        """
        if self.accumulate and not self.unfolded:  # one product of the sum is the sum of T products
            x = x.sum(0)
        rows = x.reshape(-1, x.shape[-1])
        weight: Tensor = self.weight
        if scale is not None and len(rows) < self.nf:  # whichever factor is smaller
            rows = rows * scale
        elif scale is not None:
            weight = weight * scale.unsqueeze(-1)
        if self.accumulate and self.unfolded:
            return torch.mm(rows, weight).view(*x.shape[:-1], self.nf).sum(0) + self.bias
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
            count_events(x, layer.levels, name),
            bias=True,
            levels=layer.levels,
            value_bytes=x.element_size(),
            steps=x.shape[0] if layer.accumulate else 1,
        )
    }
