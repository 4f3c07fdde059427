"""Measured points of servers, and the shares of work that prices are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from energy.serving.nonnegative import Floats, nonnegative
from energy.serving.step import Step
from hwmodels.wholechip import Kind, Work

#: The columns of every matrix here.
WORKS = tuple(Work)

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


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
    amounts: Floats  #: work of each point, points x works

    @classmethod
    def of(cls, target: Target, points: Sequence[Point], amounts: Floats | None = None) -> Sample:
        """Those of the points in which it was; `amounts` are those of all of them, if known."""
        known = amounts_of(points) if amounts is None else amounts
        there = [place for place, point in enumerate(points) if target.of(point) is not None]
        return cls(target, tuple(points[place] for place in there), known[there])

    def only(self, inside: Mask) -> Sample:
        """Some of the points."""
        chosen = tuple(x for x, there in zip(self.points, inside.tolist(), strict=True) if there)
        return Sample(self.target, chosen, self.amounts[inside])

    @cached_property
    def measured(self) -> Floats:
        """The target of each point."""
        return np.array([self.target.of(point) for point in self.points], dtype=np.float64)

    @cached_property
    def _relative(self) -> Floats:
        """Work over what was measured: with the right prices, each row adds up to one."""
        return self.amounts / self.measured[:, None]

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models, in the order of the points."""
        return tuple(dict.fromkeys(point.model for point in self.points))

    def where(self, **inside: object) -> Mask:
        """The points that have such attributes: `model`, `kind`, `architecture`."""
        found = np.ones(len(self.points), dtype=bool)
        for name, value in inside.items():
            found &= self._values(name) == value
        return found

    def _values(self, name: str) -> NDArray[np.object_]:
        if name not in self._named:
            self._named[name] = np.array([getattr(x, name) for x in self.points], dtype=object)
        return self._named[name]

    @cached_property
    def _named(self) -> dict[str, NDArray[np.object_]]:
        return {}

    def groups(self, key: str) -> list[Places]:
        """The points of each `model`, or `architecture`."""
        values = dict.fromkeys(self._values(key).tolist())
        return [np.flatnonzero(self.where(**{key: value})) for value in values]

    @cached_property
    def _cells(self) -> list[Cell]:
        """Products of the points of each model, of which those of any number of models are sums."""
        pairs = dict.fromkeys(zip(self._values("model"), self._values("architecture"), strict=True))
        found = []
        for model, architecture in pairs:
            rows = self._relative[self.where(model=model, architecture=architecture)]
            found.append(Cell(model, architecture, rows.T @ rows, rows.sum(axis=0)))
        return found

    def fit(self, works: Sequence[Work], weights: Floats | None = None) -> Floats:
        """Prices of some works, the others at zero, by relative least squares.

        Args:
            works: What has a price.
            weights: How often each point counts; once unless given.
        """
        if weights is None:
            return self.fit_without(works)
        chosen = [WORKS.index(work) for work in works]
        rows = self._relative[:, chosen]
        weighted = rows * weights[:, None]
        return _spread_out(chosen, nonnegative(weighted.T @ rows, weighted.sum(axis=0)))

    def fit_without(self, works: Sequence[Work], **left_out: str) -> Floats:
        """The same, without the points of a `model` or of an `architecture`."""
        chosen = [WORKS.index(work) for work in works]
        kept = [x for x in self._cells if all(getattr(x, k) != v for k, v in left_out.items())]
        gram = sum((x.gram for x in kept), start=np.zeros((len(WORKS), len(WORKS))))
        moment = sum((x.moment for x in kept), start=np.zeros(len(WORKS)))
        return _spread_out(chosen, nonnegative(gram[np.ix_(chosen, chosen)], moment[chosen]))

    def predicted_left_out(self, works: Sequence[Work], key: str = "model") -> Floats:
        """What a fit without a model (or an architecture) says of its points, over measured."""
        found = np.zeros(len(self.points))
        for value, places in self._left_out(key):
            found[places] = self._relative[places] @ self.fit_without(works, **{key: value})
        return found

    def _left_out(self, key: str) -> list[tuple[str, Places]]:
        if key not in self._known:
            values = dict.fromkeys(self._values(key).tolist())
            self._known[key] = list(zip(values, self.groups(key), strict=True))
        return self._known[key]

    @cached_property
    def _known(self) -> dict[str, list[tuple[str, Places]]]:
        return {}

    def predicted(self, prices: Floats) -> Floats:
        """What prices say of each point, over what was measured."""
        found: Floats = self._relative @ prices
        return found


class Cell(NamedTuple):
    """Sums over the points of one model."""

    model: str
    architecture: str
    gram: Floats  #: works x works
    moment: Floats  #: works


def amounts_of(points: Sequence[Point]) -> Floats:
    """Work of each point, points x works."""
    rows = [list(point.step.amounts.values()) for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), len(WORKS))


def _spread_out(chosen: Sequence[int], prices: Floats) -> Floats:
    """Prices of some works at their places among all."""
    found = np.zeros(len(WORKS))
    found[list(chosen)] = prices
    return found
