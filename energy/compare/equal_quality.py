"""What a baseline costs at the quality of another model: read off the baseline's own curve.

A baseline that is measured at several settings is a curve of cost against KL divergence from the
analog model. Between two of its points the cost is taken as linear in the logarithm of KL, which
small changes of any kind move by factors. Beyond its points nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import NamedTuple

import numpy as np


class Point(NamedTuple):
    """A setting of a baseline."""

    kl_nats: float  #: KL divergence from the analog model
    cost: float  #: what it costs there: picojoules, or bytes


def frontier(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats, from the nearest to the cheapest.

    None costs less at no more KL. A KL of zero or below, which is exact but for rounding, has no
    logarithm and is left out.
    """
    best: list[Point] = []
    for point in sorted(point for point in points if point.kl_nats > 0):
        if not best or point.cost < best[-1].cost:
            best.append(point)
    return best


def cost_at(points: Iterable[Point], kl_nats: float) -> float | None:
    """The least cost of a baseline at a KL; None where that is beyond its points.

    Where a nearer point costs no more than those that follow, it stands for them.
    """
    points = tuple(points)
    curve = frontier(points)
    if not curve or not curve[0].kl_nats <= kl_nats <= max(points).kl_nats:
        return None
    known = [log(point.kl_nats) for point in curve]
    return float(np.interp(log(kl_nats), known, [point.cost for point in curve]))
