"""Counts times prices: the bill, with what could not be priced beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from energy.bill.latency import time_at_full_use_s
from energy.bill.pricing import COMPUTE, prepare, terms
from energy.counts.counts import Counts, LayerCount
from hwmodels import Dataflow, HardwareProfile, Op

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["ACCOUNTINGS", "COMPUTE", "GROUPS", "Estimate", "LayerEnergy", "estimate"]

#: Headings of the bill, in the order they are shown; see `Op.group`.
GROUPS = ("compute", "scalar", "neuron", "routing", "memory")

#: The two accountings of a saving.
ACCOUNTINGS = ("compute", "full")


@dataclass(frozen=True)
class LayerEnergy:
    """The bill of one layer.

    Attributes:
        count: What was counted, as executed.
        pj: Energy by operation in picojoules; operations without a price are missing.
        level_pj: Energy of memory traffic by memory level, in picojoules.
    """

    count: LayerCount
    pj: dict[Op, float] = field(default_factory=dict)
    level_pj: dict[str, float] = field(default_factory=dict)

    @property
    def lacks_compute(self) -> bool:
        """Whether a MAC or an AC has no price: the sums below are then no energy of the layer."""
        counted = self.count.tally.ops
        return any(counted.get(op) and op not in self.pj for op in COMPUTE)

    def group_pj(self, group: str) -> float:
        """Energy of one heading of `GROUPS` in picojoules."""
        return math.fsum(pj for op, pj in self.pj.items() if op.group == group)

    @property
    def compute_pj(self) -> float:
        """Energy of MACs and ACs in picojoules: the convention of the spiking literature."""
        return self.group_pj("compute")

    @property
    def total_pj(self) -> float:
        """Energy of everything that has a price, in picojoules."""
        return math.fsum(self.pj.values())


@dataclass(frozen=True)
class Estimate:
    """The bill of one variant of a model on one piece of hardware.

    Attributes:
        counts: What was counted, as executed under the dataflow.
        profile: The price list.
        layers: One bill per layer, in the order of the counts.
        dataflow: How often operands move.
        latency_s: Seconds that the pass takes; None where unknown.
    """

    counts: Counts
    profile: HardwareProfile
    layers: tuple[LayerEnergy, ...]
    dataflow: Dataflow = Dataflow.LAYERWISE
    latency_s: float | None = None

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
        known.

        Args:
            accounting: `compute` (MACs and ACs) or `full` (everything that has a price).
            block: Only this block.
            component: Only this component.

        Raises:
            ValueError: If there is no such accounting.
        """
        if accounting not in ACCOUNTINGS:
            raise ValueError(
                f"accounting '{accounting}' is not known; known are {', '.join(ACCOUNTINGS)}"
            )
        whole = accounting == "full" and block is None and component is None
        return math.fsum(
            (
                (self.static_pj or 0.0) if whole else 0.0,
                *(
                    layer.compute_pj if accounting == "compute" else layer.total_pj
                    for layer in self.layers
                    if (block is None or layer.count.label.block == block)
                    and (component is None or layer.count.label.component == component)
                ),
            )
        )

    def group_pj(self, group: str) -> float:
        """Energy of one heading of `GROUPS` over all layers, in picojoules."""
        return math.fsum(layer.group_pj(group) for layer in self.layers)

    @cached_property
    def level_pj(self) -> dict[str, float]:
        """Energy of memory traffic by memory level, in picojoules, nearest level first."""
        found = {
            name: math.fsum(layer.level_pj.get(name, 0.0) for layer in self.layers)
            for name in self.profile.memory
        }
        return {name: pj for name, pj in found.items() if pj}

    @property
    def lacks_compute(self) -> bool:
        """Whether a MAC or an AC has no price: the totals are then no energy of the model."""
        return any(layer.lacks_compute for layer in self.layers)

    @cached_property
    def unpriced(self) -> dict[Op, int]:
        """Operations that were counted but have no price, with their number."""
        found: Counter[Op] = Counter()
        for layer in self.counts.layers:
            for op, number in layer.ops.items():
                if number and not self.profile.is_priced(op):
                    found[op] += number
        return {op: found[op] for op in Op if op in found}

    @property
    def coverage(self) -> float:
        """Share of the counted operations (memory traffic aside) that has a price."""
        counted = self.counts.total(*(op for op in Op if op.group != "memory"))
        unpriced = sum(n for op, n in self.unpriced.items() if op.group != "memory")
        return 1 - unpriced / counted if counted else 1.0

    def to_frame(self) -> DataFrame:
        """One row per layer; see `energy.frames.estimate_frame`."""
        from energy.frames import estimate_frame

        return estimate_frame(self)

    def _repr_html_(self) -> str:
        from energy.frames import estimate_html

        return estimate_html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<bill of {self.counts.variant} on {self.profile.name}>")

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
        return Estimate(
            counts,
            self.profile,
            tuple(
                LayerEnergy(count, _sum(a.pj, b.pj), _sum(a.level_pj, b.level_pj))
                for count, a, b in zip(counts.layers, self.layers, other.layers, strict=True)
            ),
            self.dataflow,
            (self.latency_s or 0.0) + (other.latency_s or 0.0) if known else None,
        )


Key = TypeVar("Key")


def _sum(a: Mapping[Key, float], b: Mapping[Key, float]) -> dict[Key, float]:
    return {key: a.get(key, 0.0) + b.get(key, 0.0) for key in {**a, **b}}


def estimate(
    counts: Counts,
    profile: HardwareProfile,
    *,
    dataflow: Dataflow | None = None,
    latency_s: float | None = None,
) -> Estimate:
    """Price counts.

    Args:
        counts: What was counted.
        profile: The price list; memory traffic is rescaled to its `value_bytes`.
        dataflow: How often operands move; that of the profile unless given.
        latency_s: Seconds that the pass takes; from the throughput of the profile unless given.
    """
    dataflow = dataflow or profile.dataflow
    work = prepare(counts, dataflow, profile.core)
    bills: list[LayerEnergy] = [LayerEnergy(row) for row in work.counts.layers]
    for term in terms(work, profile):
        value = term.constant.pj(profile) * term.scale if term.constant else 0.0
        for i in np.flatnonzero(term.amounts):
            pj, bill = float(term.amounts[i]) * value, bills[i]
            bill.pj[term.op] = bill.pj.get(term.op, 0.0) + pj
            if term.constant and term.constant.level:
                level = term.constant.level
                bill.level_pj[level] = bill.level_pj.get(level, 0.0) + pj
    if latency_s is None:
        latency_s = time_at_full_use_s(work.counts, profile)
    return Estimate(work.counts, profile, tuple(bills), dataflow, latency_s)
