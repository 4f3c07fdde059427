"""What a fit is worth on a model that neither its prices nor the choice of its works have seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from energy.serving.doubt import off
from energy.serving.points import Sample
from energy.serving.selection import choose
from hwmodels.wholechip import Work


class Unseen(NamedTuple):
    """A model, as all others alone predict it."""

    model: str
    works: tuple[Work, ...]  #: what has a price where the model does not take part in the choice
    points: int
    error: float  #: mean relative error of its points
    held: float  #: share of its points inside the interval that follows from the others


def unseen(sample: Sample, tell: Callable[[], object] = lambda: None) -> tuple[Unseen, ...]:
    """Each model left out of everything: the choice of works, prices and intervals.

    Those that were left out of prices alone helped to choose what has a price, so that errors on
    them are a little too small. None where only one model would be left.

    Args:
        sample: The points.
        tell: Called when a model is done.
    """
    if len(sample.models) < 3:
        return ()
    found = []
    for model in sample.models:
        found.append(_one(sample, model))
        tell()
    return tuple(found)


def _one(sample: Sample, model: str) -> Unseen:
    inside = sample.where(model=model)
    others, own = sample.only(~inside), sample.only(inside)
    works = choose(others)[-1].works
    low, high = off(others, others.predicted_left_out(works)).interval
    ratios = own.predicted(others.fit(works))
    found = off(own, ratios).ratios
    held = float(np.mean((low <= found) & (found <= high)))
    return Unseen(model, works, len(own.points), float(np.abs(ratios - 1).mean()), held)


def mean_of(found: tuple[Unseen, ...], what: str) -> float | None:
    """The mean of `error` or `held` over the points of all of them; None where there are none."""
    points = sum(x.points for x in found)
    total: float = sum(x.points * getattr(x, what) for x in found)
    return total / points if points else None
