"""How long a pass takes: each layer as long as its arithmetic, or its slowest memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from energy.bill.layer import COMPUTE, LayerTime
from hwmodels import HardwareProfile, Op

#: What bounds a layer whose arithmetic takes longest.
ARITHMETIC = "arithmetic"


def layer_time(
    ops: Mapping[Op, float], level_bytes: Mapping[str, float], profile: HardwareProfile
) -> LayerTime | None:
    """The longest of arithmetic, one kind of operation after the other, and each memory level.

    None where the profile does not say how fast it does a kind of product that occurs, or has a
    bandwidth for some of the levels that are used but not for all.

    Args:
        ops: Operations of the layer, as executed.
        level_bytes: Bytes that it moves, by memory level.
        profile: The machine.
    """
    if not profile.throughput or any(
        ops.get(op) and op not in profile.throughput for op in COMPUTE
    ):
        return None
    times = {
        ARITHMETIC: math.fsum(
            ops.get(op, 0) / rate.per_second for op, rate in profile.throughput.items()
        )
    }
    for level, moved in level_bytes.items():
        if moved and profile.bandwidth:
            if level not in profile.bandwidth:
                return None
            times[level] = moved / profile.bandwidth[level].bytes_per_second
    bound = max(times, key=times.__getitem__)
    return LayerTime(times[bound], bound)


def seconds(times: Iterable[LayerTime | None]) -> float | None:
    """How long layers take one after the other; None where one is not known, or there is none."""
    times = list(times)
    known = [time.seconds for time in times if time is not None]
    return math.fsum(known) if known and len(known) == len(times) else None
