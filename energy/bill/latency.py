"""How long a pass takes at least, from the throughput of a profile."""

from __future__ import annotations

import math

from energy.bill.pricing import COMPUTE
from energy.counts.counts import Counts
from hwmodels import HardwareProfile


def time_at_full_use_s(counts: Counts, profile: HardwareProfile) -> float | None:
    """Seconds at full use of the chip, one kind of operation after the other.

    Args:
        counts: As executed.
        profile: Its `throughput`; bytes are rescaled to its `value_bytes`.

    Returns:
        None where the profile does not say how fast it does a kind of product that occurs.
    """
    if not profile.throughput or any(
        counts.total(op) and op not in profile.throughput for op in COMPUTE
    ):
        return None
    scale = profile.value_bytes / counts.value_bytes
    return math.fsum(
        counts.total(op) * (scale if op.scales_with_precision else 1.0) / how.per_second
        for op, how in profile.throughput.items()
    )
