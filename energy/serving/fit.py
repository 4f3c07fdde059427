"""Prices of a whole chip from measured points, with what they are worth on unseen models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from energy.serving.doubt import Off, interval, spreads
from energy.serving.nonnegative import Floats
from energy.serving.points import WORKS, Point, Sample, Target, by_architecture, by_model
from energy.serving.selection import Tried, choose
from hwmodels.errors import UserError
from hwmodels.wholechip import Kind, Work

#: Points of one target below which no price of it is fitted.
LEAST_POINTS = 8

#: The least that is taken for a prediction, over what was measured.
_LEAST = 1e-3

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
    unseen: Floats  #: the same by a fit without its architecture

    @property
    def works(self) -> tuple[Work, ...]:
        """What has a price."""
        return self.tried[-1].works

    def price(self, work: Work) -> float:
        """The price of a work; zero where it has none."""
        return float(self.prices[WORKS.index(work)])

    @property
    def off(self) -> list[Off]:
        """Measured over predicted of each point."""
        points = self.sample.points
        return [
            Off(x.model, 1 / max(ratio, _LEAST))
            for x, ratio in zip(points, self.left_out.tolist(), strict=True)
        ]

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of 90 % of measured over predicted."""
        return interval(self.off)

    def rate_error(self, **inside: object) -> float | None:
        """The same as `error` of the inverse: of tokens per second, where this is a time."""
        return self._error(1 / np.maximum(self.left_out, _LEAST), inside)

    def error(self, **inside: object) -> float | None:
        """Mean relative error of points left out with their model; None where there are none.

        Args:
            **inside: Attributes that points must have: `model`, `kind`.
        """
        return self._error(self.left_out, inside)

    def _error(self, ratios: Floats, inside: Mapping[str, object]) -> float | None:
        wanted = [
            abs(ratio - 1)
            for x, ratio in zip(self.sample.points, ratios.tolist(), strict=True)
            if all(getattr(x, name) == value for name, value in inside.items())
        ]
        return float(np.mean(wanted)) if wanted else None


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
    def power_off(self) -> list[Off]:
        """Measured over predicted power, of models that the fits had not seen."""
        if self.step is None:
            return []
        energy = dict(zip(self.energy.sample.points, self.energy.off, strict=True))
        return [
            Off(off.model, energy[point].ratio / off.ratio)
            for point, off in zip(self.step.sample.points, self.step.off, strict=True)
        ]


def fit(points: Sequence[Point], *, seed: int = 0, repeats: int = REPEATS) -> Fit:
    """Fit prices to points.

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
    rng = np.random.default_rng(seed)
    energy = _target(Sample.of(Target.ENERGY, points), rng, repeats)
    timed = [Sample.of(target, points) for target in (Target.LATENCY, Target.STEP)]
    latency, step = (
        _target(sample, rng, repeats) if _is_enough(sample) else None for sample in timed
    )
    return Fit(tuple(points), energy, latency, step)


def _is_enough(sample: Sample) -> bool:
    return len(sample.points) >= LEAST_POINTS and len(sample.groups(by_model)) > 1


def _target(sample: Sample, rng: np.random.Generator, repeats: int) -> FittedTarget:
    tried = choose(sample)
    works = tried[-1].works
    several = len(sample.groups(by_architecture)) > 1
    return FittedTarget(
        sample,
        tuple(tried),
        sample.fit(works),
        spreads(sample, works, rng, repeats),
        sample.predicted_left_out(works, by_model),
        sample.predicted_left_out(works, by_architecture if several else by_model),
    )
