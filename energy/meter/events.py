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
_LOWEST = {Levels.BINARY: 0, Levels.TERNARY: -1, Levels.BURST: -7}
_MANTISSA, _MAGNITUDE = 0x007FFFFF, 0x7FFFFFFF


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
    low, high = (float(x) for x in torch.aminmax(operand))
    in_range = _LOWEST[levels] <= low and high <= max(1, -_LOWEST[levels])
    # A truncated fraction is 0, so if truncation loses no non-zero value, all are +-1. Bytes are
    # four times faster to count than floats; spikes are most of what is counted.
    whole = operand.to(torch.int8)
    events = _count_nonzero(whole)
    if levels is Levels.BURST:
        if in_range and bool((whole == operand).all()):
            return int(whole.abs().sum(dtype=torch.int64))
        raise _error(operand, (operand == operand.trunc()) & (operand.abs() <= 7), levels, name)
    if in_range and operand.dtype == torch.float32:
        bits = operand.view(torch.int32)
        if int(torch.count_nonzero(bits)) == events:
            return events
    is_level = (operand == 0) | ((operand if levels is Levels.BINARY else operand.abs()) == 1)
    if not bool(is_level.all()):
        raise _error(operand, is_level, levels, name)
    return events


def _count_powers(operand: Tensor, name: str) -> int:
    # The mantissa of a power of two is zero; 0x7F800000 are infinities.
    bits = operand.to(torch.float32).view(torch.int32)
    magnitudes = bits & _MAGNITUDE
    is_level = ((bits & _MANTISSA) == 0) & (magnitudes < 0x7F800000)
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


def _count_nonzero(whole: Tensor) -> int:
    if whole.device.type == "cpu":  # numpy counts bytes several times faster than torch
        return int(np.count_nonzero(whole.numpy()))
    return int(torch.count_nonzero(whole))


def _in_memory_order(x: Tensor) -> Tensor:
    """The same values, dimensions sorted by stride: a transposed tensor is read as it lies."""
    return x.permute(*sorted(range(x.dim()), key=x.stride, reverse=True)).contiguous()
