"""How long a pass takes: each layer as long as its arithmetic, or its slowest memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from energy.bill.layer import COMPUTE, LayerTime
from energy.counts.columns import Floats, Ints
from energy.counts.row_sums import row_sums
from hwmodels import HardwareProfile, Op

#: What bounds a layer whose arithmetic takes longest.
ARITHMETIC = "arithmetic"


class Times(NamedTuple):
    """How long each layer takes."""

    seconds: Floats  #: NaN where unknown
    bound: Ints  #: which of `bounds` takes longest
    bounds: tuple[str, ...]

    def of(self, row: int) -> LayerTime | None:
        """That of one layer."""
        seconds = float(self.seconds[row])
        return None if np.isnan(seconds) else LayerTime(seconds, self.bounds[self.bound[row]])

    @property
    def together(self) -> float | None:
        """One after the other; None where one is not known, or there is none."""
        known = len(self.seconds) and not np.isnan(self.seconds).any()
        return math.fsum(self.seconds.tolist()) if known else None


def layer_times(
    ops: Mapping[Op, Floats], level_bytes: Mapping[str, Floats], profile: HardwareProfile, size: int
) -> Times:
    """The longest of arithmetic, one kind of operation after the other, and each memory level.

    Unknown where the profile does not say how fast it does a kind of product that occurs, or has a
    bandwidth for some of the levels that are used but not for all.

    Args:
        ops: Operations of each layer, as executed.
        level_bytes: Bytes that each moves, by memory level.
        profile: The machine.
        size: Number of layers.
    """
    unknown = np.full(size, not profile.throughput)
    for op in COMPUTE & ops.keys() - profile.throughput.keys():
        unknown |= ops[op] > 0
    each = [ops[op] / x.per_second for op, x in profile.throughput.items() if op in ops]
    times = {ARITHMETIC: row_sums(each, size)}
    for level, moved in level_bytes.items() if profile.bandwidth else ():
        if level in profile.bandwidth:
            times[level] = moved / profile.bandwidth[level].bytes_per_second
        else:
            unknown |= moved > 0
    bound = np.argmax(list(times.values()), axis=0)
    seconds = np.where(unknown, np.nan, np.max(list(times.values()), axis=0))
    return Times(seconds, bound, tuple(times))
