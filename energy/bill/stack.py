"""Many counts priced at once: as rows of one table, each the work of a machine of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from energy.bill.layer import GROUPS, IN_GROUP, STORED
from energy.bill.placement import Floats, Ints
from energy.bill.priced import priced
from energy.bill.pricing import prepare
from energy.counts import Counts
from hwmodels import Dataflow, HardwareProfile, Op

#: What the energy of a model is split into: headings of the bill, memory by what is stored, and
#: static energy.
STATIC = "static"
PARTS = (*(group for group in GROUPS if group != "memory"), *STORED, STATIC)
#: The part that each operation belongs to.
_PART = {op: part for part in PARTS if part != STATIC for op in IN_GROUP[part]}


class StackBill(NamedTuple):
    """The bills of several models."""

    #: energy of each in picojoules, by what it is spent on; what has no price is in no part. Static
    #: energy is NaN where nobody knows how long a model takes.
    parts_pj: dict[str, Floats]
    unpriced: tuple[Op, ...]  #: operations that occur in some of them and have no price


@dataclass(frozen=True)
class Stack:
    """Counts of several models, or of one in several passes, that are priced together.

    Bills of a few rows each spend their time on the way into numpy; those of one table of all rows
    do it once.
    """

    models: tuple[Counts, ...]  #: passes of as many queries per sequence
    #: the row of the counts at each place of a model, where rows that are alike stand once
    rows: tuple[Ints, ...]

    @cached_property
    def starts(self) -> Ints:
        """The first row of each model."""
        return np.cumsum([0, *(len(counts.layers) for counts in self.models[:-1])])

    @cached_property
    def counts(self) -> Counts:
        """All rows, those of each model at depths of their own, so that none reads from another."""
        depths = 1 + max(x.label.depth or 0 for counts in self.models for x in counts.layers)
        layers = tuple(
            replace(row, label=replace(row.label, depth=i * (depths + 1) + _below(row.label.depth)))
            for i, counts in enumerate(self.models)
            for row in counts.layers
        )
        steps = max(counts.timesteps for counts in self.models)
        return replace(self.models[0], layers=layers, timesteps=steps)

    def bill(self, profile: HardwareProfile, dataflow: Dataflow | None = None) -> StackBill:
        """The bills of all models on a machine like this each.

        Raises:
            ValueError: If the machine has cores, between which the spikes of all rows would travel.
        """
        if profile.core is not None and len(self.models) > 1:
            raise ValueError(f"'{profile.name}' has cores; on them, models are priced one by one")
        rows = np.concatenate([x + at for x, at in zip(self.rows, self.starts, strict=True)])
        work = prepare(self.counts, profile, dataflow, rows)
        held = replace(work.held, starts=tuple(self.starts.tolist()))
        bill = priced(replace(work, held=held), profile)
        parts: dict[str, Floats] = {}
        for op, pj in bill.pj.items():
            parts[_PART[op]] = parts.get(_PART[op], 0.0) + self._sums(pj * held.copies)
        if profile.static_power is not None and bill.times is not None:
            seconds = self._sums(bill.times.seconds * held.copies)
            parts[STATIC] = profile.static_power.watts * 1e12 * seconds
        return StackBill(parts, tuple(bill.unpriced))

    def _sums(self, numbers: Floats) -> Floats:
        sums: Floats = np.add.reduceat(numbers, self.starts)
        return sums


def _below(depth: int | None) -> int:
    """A depth that is a number: what is outside of all layers stands together, before them."""
    return 0 if depth is None else 1 + depth
