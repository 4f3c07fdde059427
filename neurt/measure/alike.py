"""Layers of a model that are alike: one of them is counted, and stands at the places of all."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from energy import Counts
from energy.counts.columns import Ints

#: Bits of weights and of vectors of a row; None for those of the machine.
RowBits = tuple[float | None, float | None]


def stores_alike(bits: Mapping[str, RowBits]) -> bool:
    """Whether each row is as wide in all layers, given those that a checkpoint says, by name."""
    found: dict[str, set[RowBits]] = {}
    for name, wide in bits.items():
        found.setdefault(re.sub(r"\.\d+\.", ".*.", name, count=1), set()).add(wide)
    return all(len(wide) == 1 for wide in found.values())


def repeated_rows(counts: Counts, layers: int) -> Ints:
    """The row of counts at each place of a model of so many layers, in the order of the counts."""
    depths = [row.label.depth for row in counts.layers]
    counted = 1 + max((depth for depth in depths if depth is not None), default=0)
    times = [1 if depth is None else layers // counted for depth in depths]
    return np.repeat(np.arange(len(depths)), times)
