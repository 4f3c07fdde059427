"""Which kinds of work get a price: those that make predictions of unseen models better."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from energy.serving.points import WORKS, Sample
from hwmodels.wholechip import Work

#: What always has a price.
BASE = (Work.STEP, Work.WEIGHT_BYTE, Work.CACHE_BYTE, Work.MAC)

#: What must earn one.
CANDIDATES = tuple(work for work in Work if work not in BASE)

#: The least by which a work must lower the error of unseen models, in shares of one.
MARGIN = 0.005


class Tried(NamedTuple):
    """A set of works, and how far off it is."""

    works: tuple[Work, ...]
    model: float  #: mean relative error of points of models that the fit had not seen
    architecture: float  #: the same of architectures

    @property
    def error(self) -> float:
        """The mean of the two, by which sets are compared."""
        return (self.model + self.architecture) / 2


def errors(sample: Sample, works: Sequence[Work]) -> Tried:
    """How far off a set of works is on what a fit had not seen."""
    model = np.abs(sample.predicted_left_out(works) - 1).mean()
    if len(sample.groups("architecture")) < 2:
        return Tried(tuple(works), float(model), float(model))
    other = np.abs(sample.predicted_left_out(works, "architecture") - 1).mean()
    return Tried(tuple(works), float(model), float(other))


def choose(sample: Sample, never: Collection[Work] = ()) -> list[Tried]:
    """Sets of works, each with one more than the one before; the last is the one to use.

    A work is added while it lowers the error by `MARGIN` or more, the one that lowers it most
    first. No set has more works than a third of the points that the smallest fit sees.

    Args:
        sample: What prices are fitted to.
        never: Works that get no price, to see what they are worth.
    """
    left = len(sample.points) - max(map(len, sample.groups("model")))
    found = [errors(sample, BASE)]
    while len(found[-1].works) < max(len(BASE), left // 3):
        works = found[-1].works
        taken = {*works, *never}
        rest = [work for work in CANDIDATES if work not in taken and _occurs(sample, work)]
        if not rest:
            break
        best = min((errors(sample, (*works, work)) for work in rest), key=lambda x: x.error)
        if best.error > found[-1].error - MARGIN:
            break
        found.append(best)
    return found


def _occurs(sample: Sample, work: Work) -> bool:
    return bool(sample.amounts[:, WORKS.index(work)].any())
