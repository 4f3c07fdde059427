"""Count events, after making sure that they are events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energy.counts import Levels
from energy.meter.awaited import here, wholes
from hwmodels.errors import UserError

Mask = NDArray[np.bool_]
Values = NDArray[Any]


class EventError(UserError, ValueError):
    """An operand declared as spikes holds something else."""


_ALLOWED = {
    Levels.BINARY: "0 or 1",
    Levels.TERNARY: "-1, 0 or 1",
    Levels.BURST: "whole numbers from -7 to 7",
    Levels.COUNT: "whole numbers from -127 to 127",
    Levels.POWER: "0 or signed powers of two",
}
_MOST = {Levels.BURST: 7, Levels.COUNT: 127}  # units of one entry
_PIECE = 1 << 16  # entries that stay in the cache
_MOST_STEPS = 64  # as a first dimension; what is longer is none of time steps
_MANTISSA, _MAGNITUDE, _INFINITE = 0x007FFFFF, 0x7FFFFFFF, 0x7F800000


def count_events(operand: Tensor, levels: Levels, name: str) -> int:
    """Number of events in an operand, after checking that it holds nothing but events.

    While a pass is counted (`energy.meter.counting`), that of an operand on an accelerator is
    awaited, and an error is raised when the pass has ended; see `energy.meter.awaited`.

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
    return here(_look(operand, levels, name).events)


def active_entries(operand: Tensor) -> Mask | None:
    """Entries (...) of events (T, ...) that hold one in some time step, where they were counted."""
    known: _Known | None = getattr(operand, "_known_events", None)
    return known.active if known is not None and known.version == operand._version else None


class _Known(NamedTuple):
    """What is known of a tensor of events."""

    levels: Levels
    version: int  #: of the tensor
    events: int
    #: entries that hold an event in some step, as the first dimension; None where nobody looked
    active: Mask | None


def _look(operand: Tensor, levels: Levels, name: str) -> _Known:
    # What a neuron sends is what the synapse behind it receives: the same tensor, counted twice.
    version = -1 if operand.is_inference() else operand._version
    known: _Known | None = getattr(operand, "_known_events", None)
    if known is not None and known[:2] == (levels, version):
        return known
    known = _Known(levels, version, *_count(operand.detach(), levels, name))
    if version >= 0:
        operand._known_events = known  # type: ignore[attr-defined]
    return known


def _count(operand: Tensor, levels: Levels, name: str) -> tuple[int, Mask | None]:
    """The events, and the entries that are active."""
    if operand.device.type != "cpu":
        return _count_there(operand, levels, name), None
    if levels in _MOST:
        return _count_units(_in_memory_order(operand), levels, name), None
    if operand.dtype is torch.bfloat16:
        return _count_anywhere(operand, levels, name), None
    return _count_in_cache(operand, levels, name)


def _count_in_cache(operand: Tensor, levels: Levels, name: str) -> tuple[int, Mask | None]:
    """Piece by piece: this is most of what counting a spiking model costs.

    numpy compares and counts several times faster than torch, and from memory only once if it does
    all of it in the cache.
    """
    stepped = operand.dim() > 1 and len(operand) <= _MOST_STEPS and operand.is_contiguous()
    values = (operand if stepped else _in_memory_order(operand)).numpy()
    values = values.reshape(len(operand) if stepped else 1, -1)
    steps, size = values.shape
    active, length = np.empty(size, bool), max(1, _PIECE // steps)
    mask, events, strange = np.empty((steps, min(length, size)), bool), 0, False
    is_level = _is_power if levels is Levels.POWER else partial(_is_unit, levels)
    for start in range(0, size, length):
        piece = values[:, start : start + length]
        there = np.not_equal(piece, 0, out=mask[:, : piece.shape[1]])
        number = int(np.count_nonzero(there))
        np.logical_or.reduce(there, axis=0, out=active[start : start + length])
        events, strange = events + number, strange or not is_level(piece, there, number)
    if strange:
        raise _error(operand, _level_mask(operand, levels), levels, name)
    return events, active.reshape(operand.shape[1:]) if stepped else None


def _is_unit(levels: Levels, piece: Values, out: Mask, events: int) -> bool:
    """Whether all that is there is one unit; all else is a stranger, NaN too."""
    units = int(np.count_nonzero(np.equal(piece, 1, out=out)))
    if levels is Levels.TERNARY:
        units += int(np.count_nonzero(np.equal(piece, -1, out=out)))
    return units == events


def _is_power(piece: Values, _out: Mask, _events: int) -> bool:
    """Whether all of it is powers of two: the mantissa of one is zero, and it is finite."""
    with np.errstate(over="ignore"):
        single = piece.astype(np.float32, copy=False)
    mantissas = np.bitwise_or.reduce(single.view(np.int32), axis=None) & _MANTISSA
    return not mantissas and np.inf not in (single.max(), -single.min())


def _count_there(operand: Tensor, levels: Levels, name: str) -> int:
    """The same on an accelerator, which is not asked what it found; see `awaited`."""
    is_level = _level_mask(operand, levels)
    events = operand != 0 if levels not in _MOST else operand.to(torch.int8).abs()
    size = operand.numel()

    def check(numbers: Sequence[int]) -> None:
        if strangers := size - numbers[0]:
            raise EventError(_fault(name, strangers, size, levels))

    asked = torch.stack([x.sum(dtype=torch.int64) for x in (is_level, events)])
    return wholes(asked, check)[1]


def _count_anywhere(operand: Tensor, levels: Levels, name: str) -> int:
    """The same of numbers that numpy does not know."""
    is_level = _level_mask(operand, levels)
    if not bool(is_level.all()):
        raise _error(operand, is_level, levels, name)
    return int((operand != 0).sum())


def _level_mask(operand: Tensor, levels: Levels) -> Tensor:
    """Where a level is held."""
    if levels in _MOST:
        whole, most = operand.to(torch.int8), _MOST[levels]
        return (whole == operand) & (whole >= -most) & (whole <= most)
    if levels is Levels.POWER:
        bits = operand.to(torch.float32).view(torch.int32)
        return ((bits & _MANTISSA) == 0) & ((bits & _MAGNITUDE) < _INFINITE)
    size = operand if levels is Levels.BINARY else operand.abs()
    return (operand == 0) | (size == 1)


def _count_units(operand: Tensor, levels: Levels, name: str) -> int:
    """The units of whole numbers."""
    if operand.device.type == "cpu" and operand.dtype is torch.float32:
        units = _count_units_in_cache(operand.numpy().reshape(-1), _MOST[levels])
        if units is not None:
            return units
    is_level = _level_mask(operand, levels)
    if not bool(is_level.all()):
        raise _error(operand, is_level, levels, name)
    return int(operand.to(torch.int8).abs().sum(dtype=torch.int64))


def _count_units_in_cache(values: Values, most: int) -> int | None:
    """The same piece by piece; None if a stranger is among them."""
    rounded, units = np.empty(min(_PIECE, len(values)), np.float32), 0
    for start in range(0, len(values), _PIECE):
        piece = values[start : start + _PIECE]
        low, high = piece.min(), piece.max()  # NaN if there is one
        whole = np.rint(piece, out=rounded[: len(piece)])
        if not (-most <= low and high <= most and np.array_equal(whole, piece)):
            return None
        # Exact: 2^16 values of 127 are less than 2^24.
        units += int((piece if low >= 0 else np.abs(piece, out=whole)).sum())
    return units


def _error(operand: Tensor, is_level: Tensor, levels: Levels, name: str) -> EventError:
    strangers = operand.numel() - int(torch.count_nonzero(is_level))
    low, high = (float(x) for x in torch.aminmax(operand))
    found = f" (range {low:.4g} .. {high:.4g})"
    return EventError(_fault(name, strangers, operand.numel(), levels, found))


def _fault(name: str, strangers: int, size: int, levels: Levels, found: str = "") -> str:
    return (
        f"layer '{name}' takes spikes, but {strangers:,} of {size:,} inputs are not "
        f"{_ALLOWED[levels]}{found}; feed it from a spiking neuron or use the dense layer type"
    )


def _in_memory_order(x: Tensor) -> Tensor:
    """The same values, dimensions sorted by stride: a transposed tensor is read as it lies."""
    return x.permute(*sorted(range(x.dim()), key=x.stride, reverse=True)).contiguous()
