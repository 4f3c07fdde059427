"""Sums over columns, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from energy.counts.columns import Floats

#: Rows of a column that are taken as Python numbers at a time.
_BLOCK = 2**16


def row_sums(columns: Iterable[Floats], size: int) -> Floats:
    """For each row the sum of several columns, rounded once, as `math.fsum` does."""
    used = [column for column in columns if column.any()]
    if len(used) <= 2:
        return sum(used[1:], used[0]) if used else np.broadcast_to(0.0, size)
    found = np.empty(size)
    for start in range(0, size, _BLOCK):
        block = [column[start : start + _BLOCK].tolist() for column in used]
        found[start : start + _BLOCK] = list(map(math.fsum, zip(*block, strict=True)))
    return found
