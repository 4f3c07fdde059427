"""Spikes of feature maps: verified, and counted for each position, in one pass over memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energy.counts import Levels

Plane = NDArray[np.float32]

_PIECE = 1 << 17  # entries that stay in the cache with what is made of them
_BYTES = 1 << 20  # entries of which a byte is made
_WIDE = 1 << 11  # entries of a row, below which calls cost more than what they add
_MOST = {Levels.BINARY: 1, Levels.TERNARY: 1, Levels.BURST: 7, Levels.COUNT: 127}
_ROWS = 2**17  # so many values of 127 are less than 2^24, up to where FP32 counts


def count_planes(maps: Tensor, levels: Levels) -> Plane | None:
    """The events at each position of feature maps (..., height, width), over all else.

    Returns:
        Whole numbers (height x width); None for tensors of another kind, and where a value is none
        of the levels.
    """
    plain = maps.device.type == "cpu" and maps.dtype is torch.float32 and maps.is_contiguous()
    if not plain or maps.dim() < 4 or not maps.numel() or levels not in _MOST:
        return None
    values = maps.detach().numpy().reshape(-1, maps.shape[-1] * maps.shape[-2])
    if len(values) > _ROWS:
        return None
    if levels is Levels.BINARY and (found := _binary(values)) is not None:
        return found
    most = _MOST[levels]
    return _whole(values, 0 if levels is Levels.BINARY else -most, most)


def _binary(values: Plane) -> Plane | None:
    """Zeros and ones, added up; None where bits are set in any other value (-0.0 too)."""
    width = values.shape[1]
    side_by_side = min(max(1, _WIDE // width), len(values))
    whole = len(values) // side_by_side * side_by_side
    found = _bytes(values[:whole].reshape(-1, side_by_side * width))
    if found is not None and side_by_side > 1:
        found = np.add.reduce(found.reshape(-1, width), axis=0)
    if found is None or whole == len(values):
        return found
    rest = _bytes(values[whole:])
    return None if rest is None else found + rest


def _bytes(values: Plane) -> Plane | None:
    """The same of rows that are wide enough, in bytes."""
    rows = max(1, min(_BYTES // values.shape[1], 255))  # whose sum is a byte too
    bits, found = values.view(np.int32), np.zeros(values.shape[1], np.float32)
    room = np.empty((rows, values.shape[1]), bool)
    for start in range(0, len(values), rows):
        piece = values[start : start + rows]
        ones = np.equal(piece, 1, out=room[: len(piece)])
        number = np.add.reduce(ones.view(np.uint8), axis=0, dtype=np.uint8)
        if np.count_nonzero(bits[start : start + rows]) != number.sum(dtype=np.int64):
            return None
        found += number
    return found


def _whole(values: Plane, least: int, most: int) -> Plane | None:
    """Whole numbers, added up as units; None if there is another value, as NaN is."""
    rows, found = max(1, _PIECE // values.shape[1]), np.zeros(values.shape[1], np.float32)
    room: Plane = np.empty((rows, values.shape[1]), np.float32)
    for start in range(0, len(values), rows):
        piece = values[start : start + rows]
        low, high = piece.min(), piece.max()
        whole = np.rint(piece, out=room[: len(piece)])
        if not (least <= low and high <= most and np.array_equal(whole, piece)):
            return None
        found += (piece if low >= 0 else np.abs(piece, out=whole)).sum(0)
    return found
