"""Counts times prices: the bill, with what could not be priced beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from operator import add, attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from energy.bill.given import checked
from energy.bill.kept import kept
from energy.bill.layer import (
    ACCOUNTINGS,
    ALL,
    COMPUTE,
    FULL,
    GROUPS,
    IN_GROUP,
    LayerEnergy,
    known_pj,
)
from energy.bill.priced import ESTIMATE_COLUMNS, BillRow, Priced, priced
from energy.bill.pricing import prepare
from energy.counts import Counts
from energy.counts.counts import Scope
from energy.table import Column, Table
from energy.words import energy, op_names
from hwmodels import Dataflow, Fusion, HardwareProfile, Op

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Estimate:
    """The bill of one variant of a model on one piece of hardware."""

    priced: Priced  #: one bill per layer, as columns
    dataflow: Dataflow = Dataflow.LAYERWISE  #: how often operands move
    latency_s: float | None = None  #: seconds that the pass takes; None where unknown
    #: what it was made of, so that it can be made again for another machine: the counted facts of
    #: each phase
    made_of: tuple[Counts, ...] = ()
    #: whether somebody says how long the pass takes, or that nobody knows: it is then as long on
    #: any machine
    timed: bool = False

    @property
    def counts(self) -> Counts:
        """What was counted, as executed under the dataflow."""
        return self.priced.counts

    @property
    def profile(self) -> HardwareProfile:
        """The price list."""
        return self.priced.profile

    @property
    def layers(self) -> Sequence[LayerEnergy]:
        """One bill per layer, in the order of the counts."""
        return self.priced.layers

    @property
    def static_pj(self) -> float | None:
        """Static power times latency in picojoules; None where either is unknown.

        The one price of an all-in profile includes it, so there it is 0.
        """
        if self.profile.scope == "all_in":
            return 0.0
        if self.profile.static_power is None or self.latency_s is None:
            return None
        return self.profile.static_power.watts * self.latency_s * 1e12

    def energy_pj(
        self, accounting: str = "full", *, block: str | None = None, component: str | None = None
    ) -> float:
        """Sum over the layers of one block or component, in picojoules.

        Static energy belongs to no layer: it is in the full sum over the whole model, where it is
        known. The accounting is `compute` (MACs and ACs), or everything that has a price: `fused`,
        `unfused`, or `full` at the bound of the profile.

        Raises:
            ValueError: If there is no such accounting.
        """
        bill = self.under(accounting)
        if bill is not self:
            return bill.energy_pj(block=block, component=component)
        if accounting == "compute":
            return self.priced.sum_pj("compute", block, component)
        static_pj = self.static_pj if block is component is None else None
        return self.priced.sum_pj(ALL, block, component, static_pj or 0.0)

    def under(self, accounting: str) -> Estimate:
        """The bill at the bound that an accounting names; itself where it names none.

        Raises:
            ValueError: If there is no such accounting.
        """
        if accounting not in (*ACCOUNTINGS, FULL):
            raise ValueError(
                f"accounting '{accounting}' is not known; known are {', '.join(ACCOUNTINGS)}"
            )
        if accounting in ("compute", FULL, self.profile.fusion):
            return self
        return self._other_bound

    @cached_property
    def _other_bound(self) -> Estimate:
        other = next(fusion for fusion in Fusion if fusion is not self.profile.fusion)
        return self.on(self.profile.model_copy(update={"fusion": other}))

    def on(self, profile: HardwareProfile) -> Estimate:
        """The bill of the same counts, under the same dataflow, on another machine."""
        bills = [estimate(counts, profile, dataflow=self.dataflow) for counts in self.made_of]
        bill = reduce(add, bills)
        return bill.lasting(self.latency_s) if self.timed else bill

    def lasting(self, latency_s: float | None) -> Estimate:
        """The same bill of a pass that takes so many seconds; None where nobody knows."""
        return replace(self, latency_s=latency_s, timed=True)

    @cached_property
    def answers(self) -> dict[object, Any]:
        """What it was asked, and said; others keep here what they found out about it."""
        return {}

    @kept
    def counted(self, block: str | None, component: str | None = None) -> frozenset[Op]:
        """The operations that were counted in a block or component; None is any."""
        rows = self.counts.columns.within(block, component)
        return frozenset(op for op, n in self.counts.columns.ops.items() if n[rows].any())

    @cached_property
    def without_latency(self) -> Estimate:
        """The same bill where nobody knows how long the pass takes."""
        return self if self.latency_s is None else self.lasting(None)

    def group_pj(self, group: str, block: str | None = None, component: str | None = None) -> float:
        """Energy of a heading of `GROUPS`, or of a part of `STORED`, in picojoules."""
        return self.priced.sum_pj(group, block, component)

    def moved_bytes(self, block: str | None = None, component: str | None = None) -> float:
        """Bytes that move through all memory levels; of one block or component, None is any."""
        rows = self.counts.columns.within(block, component)
        levels = self.priced.level_bytes.values()
        return math.fsum(n for moved in levels for n in moved[rows].tolist())

    @cached_property
    def level_pj(self) -> dict[str, float]:
        """Energy of memory traffic by memory level, in picojoules, nearest level first."""
        sums = {name: math.fsum(pj.tolist()) for name, pj in self.priced.level_pj.items()}
        return {name: sums[name] for name in self.profile.memory if sums.get(name)}

    @property
    def lacks_compute(self) -> bool:
        """Whether a MAC or an AC has no price: the totals are then no energy of the model."""
        return not COMPUTE.isdisjoint(self.priced.unpriced)

    @cached_property
    def unpriced(self) -> dict[Op, float]:
        """Operations that were counted but have no price, with their number."""
        return {op: self.counts.total(op) for op in self.priced.unpriced}

    @property
    def coverage(self) -> float:
        """Share of the counted operations (memory traffic aside) that has a price."""
        counted = self.counts.total(*(op for op in Op if op.group != "memory"))
        unpriced = sum(n for op, n in self.unpriced.items() if op.group != "memory")
        return 1 - unpriced / counted if counted else 1.0

    def table(self) -> Table[BillRow]:
        """One row per layer, in picojoules.

        A layer whose MACs or ACs have no price has no `compute_pj` and no `energy_pj`, and no part
        of which nothing has a price has an energy: a gap is never a zero. Static energy
        belongs to no layer, so it is not here.
        """
        rows = [BillRow(self.priced, self.dataflow, row) for row in range(len(self.priced))]
        return Table(ESTIMATE_COLUMNS, rows)

    def to_frame(self) -> DataFrame:
        """`table` as a data frame."""
        return self.table().to_frame()

    def _repr_html_(self) -> str:
        missing = f"; without a price: {op_names(self.unpriced)}" if self.unpriced else ""
        title = f"{self.counts.title}; {self.profile.title}, {self.dataflow}{missing}"
        columns = (
            Column("part", attrgetter("name"), "part", words=True),
            *(Column(group, partial(self._cell, group), group) for group in (*GROUPS, ALL)),
        )
        return Table(columns, list(self.counts.scopes()), title).to_html()

    def _cell(self, group: str, scope: Scope) -> str:
        counted = self.counted(scope.block, scope.component)
        missing = [op for op in self.unpriced if op in IN_GROUP[group] and op in counted]
        pj = self.group_pj(group, scope.block, scope.component)
        if group == ALL:  # static energy is in the last row, where it is known
            pj = self.energy_pj(block=scope.block, component=scope.component)
        return energy(known_pj(pj, missing))

    def __repr__(self) -> str:
        """What it is, in one line."""
        return f"<bill of {self.counts.variant} on {self.profile.name}>"

    def __add__(self, other: Estimate) -> Estimate:
        """The bill of two phases of the same model on the same hardware.

        Raises:
            ValueError: If they are not.
        """
        if (self.profile, self.dataflow) != (other.profile, other.dataflow):
            raise ValueError(
                f"bills on '{self.profile.name}' ({self.dataflow}) and '{other.profile.name}' "
                f"({other.dataflow}) do not add"
            )
        phase = self.counts.phase if self.counts.phase == other.counts.phase else "request"
        counts = replace(self.counts, phase=phase) + replace(other.counts, phase=phase)
        known = self.latency_s is not None and other.latency_s is not None
        latency_s = (self.latency_s or 0.0) + (other.latency_s or 0.0) if known else None
        bills = self.priced.plus(other.priced, counts)
        made_of, timed = self.made_of + other.made_of, self.timed or other.timed
        return Estimate(bills, self.dataflow, latency_s, made_of, timed)


def estimate(
    counts: Counts,
    profile: HardwareProfile,
    *,
    dataflow: Dataflow | None = None,
    latency_s: float | None = None,
) -> Estimate:
    """Price counts.

    Everything that a count does not say is what the profile says of the machine. The dataflow, and
    the seconds that the pass takes, are those of the profile unless given.
    """
    dataflow = checked(counts, profile, dataflow, latency_s) or profile.dataflow
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is no cell of a table
        bills = priced(prepare(counts, profile, dataflow), profile)
    timed = latency_s is not None
    if not timed and bills.times is not None:
        latency_s = bills.times.together
    return Estimate(bills, dataflow, latency_s, (counts,), timed)
