"""How sure a fit is: spreads of its prices, and intervals of its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from energy.serving.nonnegative import Floats
from energy.serving.points import WORKS, Places, Sample
from hwmodels.wholechip import Work

#: Of a distribution, what an interval of 90 % leaves out on either side.
ENDS = (0.05, 0.95)

#: What a ratio may be, and so an end of an interval.
LEAST, MOST = 1e-3, 1e3


@dataclass(frozen=True)
class Off:
    """Measured over predicted of points of models that a fit had not seen."""

    models: NDArray[np.object_]  #: the model of each point
    ratios: Floats  #: measured over predicted of each

    @property
    def interval(self) -> tuple[float, float]:
        """Ends between which nine tenths of the points of one more model are expected.

        Models differ from each other by more than the points of one of them do, so that the spread
        of all points says too little of a model that was not among them. Of logarithms, points are
        taken to vary around the mean of their model, and those means around that of all models:
        ends are the mean of the K models -+ t sqrt(b (1 + 1 / K) + w), with b and w the variances
        between models and within one, and t of K - 1 degrees of freedom.

        Source: a prediction interval of a model with random effects, as Higgins, Thompson and
        Spiegelhalter, J. R. Stat. Soc. A 172, 2009, section 4; variances by the method of moments
        (Searle, Casella and McCulloch, "Variance Components", 1992, section 3.6).
        """
        logs = [np.log(self.ratios[self.models == x]) for x in dict.fromkeys(self.models.tolist())]
        means, number = np.array([x.mean() for x in logs]), len(logs)
        inside = sum(((x - x.mean()) ** 2).sum() for x in logs)
        within = inside / max(1, len(self.ratios) - number)
        share = np.mean([1 / len(x) for x in logs])
        between = max(0.0, float(means.var(ddof=1)) - within * share)
        wide = student(ENDS[1], number - 1) * sqrt(between * (1 + 1 / number) + within)
        mean = float(means.mean())
        return max(LEAST, _exp(mean - wide)), min(MOST, _exp(mean + wide))


def off(sample: Sample, predicted: Floats) -> Off:
    """How far predictions, over what was measured, are off."""
    models = np.array([point.model for point in sample.points], dtype=object)
    return Off(models, 1 / np.clip(predicted, LEAST, MOST))


def _exp(x: float) -> float:
    """The exponential, which may be more than a float holds."""
    return exp(min(x, 100.0))


def student(share: float, freedom: int) -> float:
    """Below which t a share of Student's distribution lies, for a share from 0.5 to 1.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
    """
    low, high = 0.0, pi / 2  # of the angle atan(t / sqrt(freedom))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _between(middle, freedom) < 2 * share - 1 else (low, middle)
    return sqrt(freedom) * sin(low) / cos(low)


def _between(angle: float, freedom: int) -> float:
    """How much of Student's distribution lies between -t and t."""
    odd = freedom % 2
    term, total = (cos(angle) if odd else 1.0), 0.0
    for k in range(odd + 1, freedom, 2):
        total += term
        term *= cos(angle) ** 2 * k / (k + 1)
    total *= sin(angle)
    return 2 / pi * (angle + total) if odd else total


def spreads(
    sample: Sample, works: Sequence[Work], rng: np.random.Generator, repeats: int
) -> dict[Work, tuple[float, float] | None]:
    """Ends of 90 % of bootstrapped prices, over the price; None for one that is zero.

    Models are drawn with replacement, and so are the points of each that was drawn.
    """
    groups = sample.groups("model")
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


def _weights(groups: Sequence[Places], rng: np.random.Generator) -> Floats:
    """How often each point is drawn."""
    weights = np.zeros(sum(map(len, groups)))
    for number in rng.integers(len(groups), size=len(groups)):
        inside = groups[number]
        weights += np.bincount(rng.choice(inside, len(inside)), minlength=len(weights))
    return weights
