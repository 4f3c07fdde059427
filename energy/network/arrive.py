"""Spikes where they arrive: verified by value, and counted."""

from __future__ import annotations

import torch
from torch import Tensor

from energy.counts import Levels
from energy.meter.events import count_events
from energy.network.spikes import Spikes
from hwmodels.errors import UserError


class NetworkError(UserError, ValueError):
    """A network that cannot be counted as it is, or as it was asked for."""


def count(tensor: Tensor, spikes: Spikes, name: str) -> int:
    """How many events a tensor of spikes holds; a value of n units is n of them.

    Raises:
        EventError: If a value is not one of the levels.
        NetworkError: If the tensor has no values.
    """
    return count_events(in_units(tensor, spikes, name), levels_of(spikes), name)


def count_positions(tensor: Tensor, spikes: Spikes, name: str) -> Tensor:
    """The events at each position of (batch, channels, ...), over batch and channels.

    Returns:
        Whole numbers (...) of 64 bits; errors are those of `count`.
    """
    units, levels = in_units(tensor, spikes, name), levels_of(spikes)
    count_events(units, levels, name)
    units = units.flatten(0, 1).detach()
    if levels is not Levels.BINARY:
        units = units.abs() if levels.in_units else units.ne(0)
    exact = units.dtype is torch.float32 and len(units) < 2**16
    return units.sum(0, dtype=None if exact else torch.float64).to(torch.int64).cpu()


def levels_of(spikes: Spikes) -> Levels:
    """The levels of spikes, of which there are no others."""
    levels = spikes.levels
    assert levels is not None
    return levels


def in_units(tensor: Tensor, spikes: Spikes, name: str) -> Tensor:
    """The same spikes as whole numbers; those that are none stay strangers."""
    if tensor.is_meta:
        raise NetworkError(
            f"layer '{name}' takes spikes on the meta device, which has sizes and no values, so "
            "nobody knows how many there are; count the network where its weights are"
        )
    if spikes.unit == 1 or spikes.power:
        return tensor
    units = tensor.detach().to(torch.float64) / spikes.unit
    whole = units.round()
    return whole if torch.allclose(units, whole, rtol=0, atol=1e-4) else units
