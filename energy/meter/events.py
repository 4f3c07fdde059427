"""Count events, after making sure that they are events."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from energy.counts import Levels
from hwmodels.errors import UserError


class EventError(UserError, ValueError):
    """An operand declared as spikes holds something else."""


_ALLOWED = {
    Levels.BINARY: "0 or 1",
    Levels.TERNARY: "-1, 0 or 1",
    Levels.BURST: "whole numbers from -7 to 7",
    Levels.POWER: "0 or signed powers of two",
}
_MOST = 7  # units of a burst
_PIECE = 1 << 16  # entries that stay in the cache
_MANTISSA, _MAGNITUDE, _INFINITE = 0x007FFFFF, 0x7FFFFFFF, 0x7F800000


def count_events(operand: Tensor, levels: Levels, name: str) -> int:
    """Number of events in an operand, after checking that it holds nothing but events.

    Args:
        operand: The spikes, any shape. A burst of `n` units counts as `n` events; a slot of an
            analog operand counts as one, zero or not.
        levels: What it may hold.
        name: The layer, for the error message.

    Raises:
        EventError: If a value is not one of the levels.
    """
    if not operand.numel() or levels is Levels.ANALOG:
        return operand.numel()
    # What a neuron sends is what the synapse behind it receives: the same tensor, counted twice.
    state = None if operand.is_inference() else (levels, operand._version)
    known: tuple[object, int] | None = getattr(operand, "_counted_events", None)
    if state is not None and known is not None and known[0] == state:
        return known[1]
    events = _count(_in_memory_order(operand), levels, name)
    if state is not None:
        operand._counted_events = (state, events)  # type: ignore[attr-defined]
    return events


def _count(operand: Tensor, levels: Levels, name: str) -> int:
    if levels is Levels.POWER:
        return _count_powers(operand, name)
    if levels is Levels.BURST:
        return _count_bursts(operand, name)
    spikes, units = _spikes_and_units(operand, (1,) if levels is Levels.BINARY else (1, -1))
    if units < spikes:  # all else is a stranger, NaN too
        size = operand if levels is Levels.BINARY else operand.abs()
        raise _error(operand, (operand == 0) | (size == 1), levels, name)
    return spikes


def _spikes_and_units(operand: Tensor, units: tuple[int, ...]) -> tuple[int, int]:
    """How many entries are not zero, and how many are one of the units."""
    if operand.device.type != "cpu" or operand.dtype is torch.bfloat16:
        return int((operand != 0).sum()), sum(int((operand == unit).sum()) for unit in units)
    # numpy compares and counts several times faster than torch, and from memory only once if it
    # does both piece by piece in the cache: this is most of what counting a spiking model costs.
    values = operand.detach().numpy().reshape(-1)
    mask = np.empty(min(_PIECE, values.size), bool)
    spikes = unit_spikes = 0
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE]
        out = mask[: piece.size]
        spikes += int(np.count_nonzero(np.not_equal(piece, 0, out=out)))
        for unit in units:
            unit_spikes += int(np.count_nonzero(np.equal(piece, unit, out=out)))
    return spikes, unit_spikes


def _count_bursts(operand: Tensor, name: str) -> int:
    whole = operand.to(torch.int8)
    is_level = (whole == operand) & (whole >= -_MOST) & (whole <= _MOST)
    if not bool(is_level.all()):
        raise _error(operand, is_level, Levels.BURST, name)
    return int(whole.abs().sum(dtype=torch.int64))


def _count_powers(operand: Tensor, name: str) -> int:
    # The mantissa of a power of two is zero.
    bits = operand.to(torch.float32).view(torch.int32)
    magnitudes = bits & _MAGNITUDE
    is_level = ((bits & _MANTISSA) == 0) & (magnitudes < _INFINITE)
    if not bool(is_level.all()):
        raise _error(operand, is_level, Levels.POWER, name)
    return int(torch.count_nonzero(magnitudes))


def _error(operand: Tensor, is_level: Tensor, levels: Levels, name: str) -> EventError:
    strangers = operand.numel() - int(torch.count_nonzero(is_level))
    low, high = (float(x) for x in torch.aminmax(operand))
    return EventError(
        f"layer '{name}' takes spikes, but {strangers:,} of {operand.numel():,} inputs are not "
        f"{_ALLOWED[levels]} (range {low:.4g} .. {high:.4g}); feed it from a spiking neuron or use "
        "the dense layer type"
    )


def _in_memory_order(x: Tensor) -> Tensor:
    """The same values, dimensions sorted by stride: a transposed tensor is read as it lies."""
    return x.permute(*sorted(range(x.dim()), key=x.stride, reverse=True)).contiguous()
