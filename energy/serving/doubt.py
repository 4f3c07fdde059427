"""How sure a fit is: spreads of its prices, and intervals of its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from energy.serving.nonnegative import Floats
from energy.serving.points import WORKS, Sample, by_model
from hwmodels.wholechip import Work

#: Of a distribution, what an interval of 90 % leaves out on either side.
ENDS = (0.05, 0.95)


class Off(NamedTuple):
    """Measured over predicted, of models that a fit had not seen."""

    model: str
    ratio: float


def spreads(
    sample: Sample, works: Sequence[Work], rng: np.random.Generator, repeats: int
) -> dict[Work, tuple[float, float] | None]:
    """Ends of 90 % of bootstrapped prices, over the price; None for one that is zero.

    Models are drawn with replacement, and so are the points of each that was drawn.
    """
    groups = [np.flatnonzero(inside) for inside in sample.groups(by_model)]
    drawn = np.array([sample.fit(works, _weights(groups, rng)) for _ in range(repeats)])
    prices = sample.fit(works)
    found: dict[Work, tuple[float, float] | None] = {}
    for work in works:
        place = WORKS.index(work)
        if prices[place] == 0:
            found[work] = None
            continue
        low, high = np.quantile(drawn[:, place], ENDS) / prices[place]
        found[work] = float(min(1.0, low)), float(max(1.0, high))
    return found


def _weights(groups: Sequence[np.ndarray], rng: np.random.Generator) -> Floats:
    """How often each point is drawn."""
    weights = np.zeros(sum(map(len, groups)))
    for number in rng.integers(len(groups), size=len(groups)):
        inside = groups[number]
        weights += np.bincount(rng.choice(inside, len(inside)), minlength=len(weights))
    return weights


def interval(off: Sequence[Off]) -> tuple[float, float]:
    """Ends of 90 % of measured over predicted."""
    low, high = np.quantile([x.ratio for x in off], ENDS)
    return float(low), float(high)


def held(off: Sequence[Off]) -> float:
    """Share of points that lie inside the interval of all other models."""
    inside = 0
    for model in dict.fromkeys(x.model for x in off):
        low, high = interval([x for x in off if x.model != model])
        inside += sum(low <= x.ratio <= high for x in off if x.model == model)
    return inside / len(off)
