"""Spikes of feature maps: verified, and counted for each position, in one pass over memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from energy.counts import Levels

Plane = NDArray[np.float32]

_PIECE = 1 << 17  # entries that stay in the cache with what is made of them
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
    rows = max(1, _PIECE // values.shape[1])
    look = _binary if levels is Levels.BINARY else _whole
    found = np.zeros(values.shape[1], np.float32)
    room: Any = np.empty((rows, values.shape[1]), bool if levels is Levels.BINARY else np.float32)
    for start in range(0, len(values), rows):
        piece = values[start : start + rows]
        units = look(piece, room[: len(piece)], _MOST[levels])
        if units is None:
            return None
        found += units.sum(0)
    return found


def _binary(piece: Plane, room: NDArray[np.bool_], most: int) -> Plane | None:
    """Zeros and ones; anything else is there without being one, NaN too."""
    there = np.count_nonzero(np.not_equal(piece, 0, out=room))
    return piece if there == np.count_nonzero(np.equal(piece, 1, out=room)) else None


def _whole(piece: Plane, room: Plane, most: int) -> Plane | None:
    """Whole numbers, as units; NaN is none."""
    low, high = piece.min(), piece.max()
    if not (-most <= low and high <= most and np.array_equal(np.rint(piece, out=room), piece)):
        return None
    return piece if low >= 0 else np.abs(piece, out=room)
