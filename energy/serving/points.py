"""Measured points of servers, and the shares of work that prices are fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from energy.serving.nonnegative import Floats, nonnegative
from energy.serving.step import Step
from hwmodels.wholechip import Kind, Work

#: The columns of every matrix here.
WORKS = tuple(Work)


@dataclass(frozen=True)
class Point:
    """A server in a steady state that somebody measured."""

    model: str  #: its name
    architecture: str  #: models that share it are no witnesses for each other
    step: Step  #: what it does
    energy_j: float  #: energy of all GPUs for each token of an answer
    latency_s: float | None = None  #: median time between two tokens of a sequence
    rate: float | None = None  #: tokens of all answers per second
    task: str = ""  #: what it was asked, for tables

    @property
    def kind(self) -> Kind:
        """What the model is."""
        return self.step.kind

    @property
    def power_w(self) -> float | None:
        """Mean power of all GPUs."""
        return None if self.rate is None else self.energy_j * self.rate


class Target(StrEnum):
    """What is predicted from the same amounts of work, each with prices of its own."""

    ENERGY = "energy"
    LATENCY = "latency"
    STEP = "step"

    def of(self, point: Point) -> float | None:
        """The measured sum of amounts times prices: joules of a step, or its seconds x GPUs."""
        gpus = point.step.gpus
        if self is Target.ENERGY:
            return point.energy_j * point.step.sequences
        if self is Target.LATENCY:
            return None if point.latency_s is None else point.latency_s * gpus
        return None if point.rate is None else point.step.sequences / point.rate * gpus


@dataclass(frozen=True)
class Sample:
    """Points in which one target was measured."""

    target: Target
    points: tuple[Point, ...]

    @classmethod
    def of(cls, target: Target, points: Sequence[Point]) -> Sample:
        """Those of the points in which it was."""
        return cls(target, tuple(x for x in points if target.of(x) is not None))

    @cached_property
    def measured(self) -> Floats:
        """The target of each point."""
        return np.array([self.target.of(point) for point in self.points], dtype=np.float64)

    @cached_property
    def amounts(self) -> Floats:
        """Work of each point, points x works."""
        rows = [[x.step.amounts[work] for work in WORKS] for x in self.points]
        return np.array(rows, dtype=np.float64).reshape(len(self.points), len(WORKS))

    @cached_property
    def _relative(self) -> Floats:
        """Work over what was measured: with the right prices, each row adds up to one."""
        return self.amounts / self.measured[:, None]

    def groups(self, key: Callable[[Point], str]) -> list[np.ndarray]:
        """Which points belong to each model, or architecture, as masks."""
        names = np.array([key(point) for point in self.points])
        return [names == name for name in dict.fromkeys(names.tolist())]

    def fit(self, works: Sequence[Work], weights: Floats | None = None) -> Floats:
        """Prices of some works, the others at zero, by relative least squares.

        Args:
            works: What has a price.
            weights: How often each point counts; once unless given.
        """
        chosen = [WORKS.index(work) for work in works]
        rows = self._relative[:, chosen]
        weighted = rows if weights is None else rows * weights[:, None]
        prices = np.zeros(len(WORKS))
        prices[chosen] = nonnegative(weighted.T @ rows, weighted.sum(axis=0))
        return prices

    def predicted_left_out(self, works: Sequence[Work], key: Callable[[Point], str]) -> Floats:
        """What a fit without a model (or an architecture) says of its points, over measured."""
        found = np.zeros(len(self.points))
        for inside in self.groups(key):
            prices = self.fit(works, (~inside).astype(np.float64))
            found[inside] = self._relative[inside] @ prices
        return found

    def predicted(self, prices: Floats) -> Floats:
        """What prices say of each point, over what was measured."""
        found: Floats = self._relative @ prices
        return found


def by_model(point: Point) -> str:
    """The name of its model."""
    return point.model


def by_architecture(point: Point) -> str:
    """The name of its architecture."""
    return point.architecture
