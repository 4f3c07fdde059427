"""Layers that take spikes, with the parameters and the names of the dense layers they replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy import Levels, Tally, count_events, tally_call
from energy.formulas import Conventions, event_linear
from energy.meter.touched import channels, with_channels
from neurt.spiking.unseen import summed


class Synapse(nn.Module):
    """What the linear layers that take events have in common.

    The size of a spike is per input channel and belongs to the synapse, y = b + (s * scale) W, so
    that the events themselves carry no analog value.
    """

    levels: Levels  #: the values a spike may have
    #: sum the currents of all time steps in the same accumulators: the readout of events (T, ...,
    #: in) is then one current (..., out). Otherwise each step has its own
    accumulate: bool
    unfolded: bool  #: multiply each time step by itself, so that a second witness sees all of them

    def takes(self, levels: Levels, *, accumulate: bool) -> None:
        """Say what arrives; called once, while the layer is made."""
        self.levels, self.accumulate, self.unfolded = levels, accumulate, False

    @property
    def fan_out_weight(self) -> Tensor:
        """Weights as (in, out)."""
        raise NotImplementedError

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """Currents (T, ..., out), or (..., out) if accumulated, of spikes (T, ..., in).

        Args:
            scale: Size of a spike per channel (in,); None for 1.
        """
        weight = self.fan_out_weight
        fan_out = weight.shape[1]
        if self.accumulate and not self.unfolded:  # one product of the sum is the sum of T products
            x = summed(x)
        rows = x.reshape(-1, x.shape[-1])
        if scale is not None and len(rows) < fan_out:  # whichever factor is smaller
            rows = (rows * scale).to(rows.dtype)  # a scale is in FP32
        elif scale is not None:
            weight = (weight * scale.unsqueeze(-1)).to(weight.dtype)
        bias: Any = self.bias  # None, where there is none
        if self.accumulate and self.unfolded:
            total = torch.mm(rows, weight).view(*x.shape[:-1], fan_out).sum(0)
            return total if bias is None else total + bias
        out = torch.mm(rows, weight) if bias is None else torch.addmm(bias, rows, weight)
        return out.view(*x.shape[:-1], fan_out)


class EventConv1D(Synapse, Conv1D):
    """A `Conv1D` (GPT-2's linear layer, weight (in, out)) whose input is spikes."""

    def __init__(self, fan_out: int, fan_in: int, levels: Levels, *, accumulate: bool) -> None:
        super().__init__(fan_out, fan_in)  # type: ignore[no-untyped-call]
        self.takes(levels, accumulate=accumulate)

    @property
    def fan_out_weight(self) -> Tensor:
        """Weights as (in, out)."""
        weight: Tensor = self.weight
        return weight


class EventLinear(Synapse, nn.Linear):
    """An `nn.Linear` (weight (out, in)) whose input is spikes."""

    def __init__(
        self, fan_out: int, fan_in: int, levels: Levels, *, accumulate: bool, bias: bool
    ) -> None:
        super().__init__(fan_in, fan_out, bias=bias)
        self.takes(levels, accumulate=accumulate)

    @property
    def fan_out_weight(self) -> Tensor:
        """Weights as (in, out)."""
        return self.weight.T


def make_synapse(
    kind: str, fan_out: int, fan_in: int, levels: Levels, *, accumulate: bool = True, bias: bool
) -> Synapse:
    """The event-driven layer in the place of a dense one.

    Args:
        kind: Class of the dense one, `Conv1D` or `Linear`.
        bias: Whether there is one; a `Conv1D` always has.
    """
    if kind == "Conv1D":
        return EventConv1D(fan_out, fan_in, levels, accumulate=accumulate)
    return EventLinear(fan_out, fan_in, levels, accumulate=accumulate, bias=bias)


def weights_of(layers: Sequence[Synapse]) -> Tensor:
    """Weights (in, out) of layers that receive the same events, as of one."""
    return torch.cat([layer.fan_out_weight.detach() for layer in layers], dim=1)


@tally_call.register
def _(
    layer: Synapse, name: str, args: Any, out: Tensor, conventions: Conventions
) -> dict[str, Tally]:
    x: Tensor = args[0]
    fan_in, fan_out = layer.fan_out_weight.shape
    tally = event_linear(
        x.numel() // fan_in,
        fan_in,
        fan_out,
        count_events(x, layer.levels, name),
        bias=layer.bias is not None,
        levels=layer.levels,
        steps=x.shape[0] if layer.accumulate else 1,
    )
    if layer.levels is not Levels.ANALOG or conventions.zeros:
        tally = with_channels(tally, channels(x), fan_out)
    return {"": tally}
