"""Prices of a whole chip from measured points, with what they are worth on unseen models."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from energy.serving.doubt import LEAST, Off, off, spreads
from energy.serving.nonnegative import Floats
from energy.serving.points import WORKS, Point, Sample, Target, amounts_of
from energy.serving.selection import Tried, choose
from energy.serving.unseen import Unseen, unseen
from hwmodels.errors import UserError
from hwmodels.wholechip import Kind, Work

#: Points of one target below which no price of it is fitted.
LEAST_POINTS = 8

#: Draws of the bootstrap.
REPEATS = 200


class FitError(UserError, ValueError):
    """Points that no price can be fitted to."""


@dataclass(frozen=True)
class FittedTarget:
    """Prices of one target."""

    sample: Sample  #: the points in which it was measured
    tried: tuple[Tried, ...]  #: sets of works on the way to the one that is used
    prices: Floats  #: in joules, or in seconds, of each work
    spread: dict[Work, tuple[float, float] | None]  #: ends of 90 % of bootstrapped prices
    left_out: Floats  #: predicted over measured of each point, by a fit without its model
    unseen: tuple[Unseen, ...]  #: models that were left out of the choice of works too

    @property
    def works(self) -> tuple[Work, ...]:
        """What has a price."""
        return self.tried[-1].works

    def price(self, work: Work) -> float:
        """The price of a work; zero where it has none."""
        return float(self.prices[WORKS.index(work)])

    @cached_property
    def off(self) -> Off:
        """Measured over predicted of each point."""
        return off(self.sample, self.left_out)

    @property
    def interval(self) -> tuple[float, float]:
        """Between what nine tenths of measured over predicted are expected, of one more model."""
        return self.off.interval

    def rate_error(self, **inside: object) -> float | None:
        """The same as `error` of the inverse: of tokens per second, where this is a time."""
        return self._error(1 / np.maximum(self.left_out, LEAST), inside)

    def error(self, **inside: object) -> float | None:
        """Mean relative error of points left out with their model; None where there are none.

        Args:
            **inside: Attributes that points must have: `model`, `kind`.
        """
        return self._error(self.left_out, inside)

    def _error(self, ratios: Floats, inside: Mapping[str, object]) -> float | None:
        wanted = np.abs(ratios[self.sample.where(**inside)] - 1)
        return float(wanted.mean()) if len(wanted) else None


@dataclass(frozen=True)
class Fit:
    """Prices of a whole chip."""

    points: tuple[Point, ...]
    energy: FittedTarget
    latency: FittedTarget | None  #: None where too few points have it
    step: FittedTarget | None

    @property
    def models(self) -> dict[str, Kind]:
        """The models, in the order of the points."""
        return {point.model: point.kind for point in self.points}

    @property
    def power_off(self) -> Off | None:
        """Measured over predicted power, of models that the fits had not seen."""
        if self.step is None:
            return None
        energy, timed = self.energy.off, self.step.off
        both = np.array([point.rate is not None for point in self.energy.sample.points])
        return Off(timed.models, energy.ratios[both] / timed.ratios)


def fit(
    points: Sequence[Point],
    *,
    seed: int = 0,
    repeats: int = REPEATS,
    tell: Callable[[int, int], object] = lambda _done, _total: None,
) -> Fit:
    """Fit prices to points.

    Args:
        points: What was measured.
        seed: Of the bootstrap.
        repeats: Its draws.
        tell: Called with how many fits without a model are done, and how many there are.

    Raises:
        FitError: If there are too few points, or all are of one model.
    """
    if len(points) < LEAST_POINTS:
        raise FitError(
            f"{len(points)} measured points are too few: a fit needs {LEAST_POINTS}, of two models "
            "or more"
        )
    if len({point.model for point in points}) < 2:
        raise FitError(
            f"all {len(points)} points are of '{points[0].model}': what prices are worth shows on "
            "a model that they were not fitted to; add points of another model"
        )
    rng, amounts = np.random.default_rng(seed), amounts_of(points)
    samples = [Sample.of(target, points, amounts) for target in Target]
    fitted = [x for x in samples if x.target is Target.ENERGY or _is_enough(x)]
    total, done = sum(len(sample.models) for sample in fitted), itertools.count(1)
    tell(0, total)
    found = {
        sample.target: _target(sample, rng, repeats, lambda: tell(next(done), total))
        for sample in fitted
    }
    energy, latency, step = (found.get(target) for target in Target)
    assert energy is not None
    return Fit(tuple(points), energy, latency, step)


def _is_enough(sample: Sample) -> bool:
    return len(sample.points) >= LEAST_POINTS and len(sample.models) > 1


def _target(
    sample: Sample, rng: np.random.Generator, repeats: int, tell: Callable[[], object]
) -> FittedTarget:
    tried = choose(sample)
    works = tried[-1].works
    return FittedTarget(
        sample,
        tuple(tried),
        sample.fit(works),
        spreads(sample, works, rng, repeats),
        sample.predicted_left_out(works),
        unseen(sample, tell),
    )
