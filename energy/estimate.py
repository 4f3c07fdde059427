"""Counts times prices: the bill, with what could not be priced beside it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from energy.counts import Counts, LayerCount
from hwmodels import HardwareProfile, Op

#: Headings of the bill, in the order they are shown; see `Op.group`.
GROUPS = ("compute", "scalar", "neuron", "routing", "memory")

#: What a matrix product is made of; a part in which one of these has no price has no energy.
COMPUTE = frozenset({Op.MAC, Op.AC, Op.SHIFT_AC})

#: The two accountings of a saving.
ACCOUNTINGS = ("compute", "full")


@dataclass(frozen=True)
class LayerEnergy:
    """The bill of one layer.

    Attributes:
        count: What was counted.
        pj: Energy by operation in picojoules; operations without a price are missing.
    """

    count: LayerCount
    pj: dict[Op, float] = field(default_factory=dict)

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
        counts: What was counted.
        profile: The price list.
        layers: One bill per layer, in the order of the counts.
    """

    counts: Counts
    profile: HardwareProfile
    layers: tuple[LayerEnergy, ...]

    def energy_pj(
        self, accounting: str = "full", *, block: str | None = None, component: str | None = None
    ) -> float:
        """Sum over the layers of one block or component, in picojoules.

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
        return math.fsum(
            layer.compute_pj if accounting == "compute" else layer.total_pj
            for layer in self.layers
            if (block is None or layer.count.label.block == block)
            and (component is None or layer.count.label.component == component)
        )

    def group_pj(self, group: str) -> float:
        """Energy of one heading of `GROUPS` over all layers, in picojoules."""
        return math.fsum(layer.group_pj(group) for layer in self.layers)

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
                if number and self.profile.energy_pj(op) is None:
                    found[op] += number
        return {op: found[op] for op in Op if op in found}

    @property
    def coverage(self) -> float:
        """Share of the counted operations (memory traffic aside) that has a price."""
        counted = self.counts.total(*(op for op in Op if op.group != "memory"))
        unpriced = sum(n for op, n in self.unpriced.items() if op.group != "memory")
        return 1 - unpriced / counted if counted else 1.0


def estimate(counts: Counts, profile: HardwareProfile) -> Estimate:
    """Price counts.

    Args:
        counts: What was counted.
        profile: The price list; memory traffic is rescaled to its `value_bytes`.
    """
    pj_per = {op: _pj_per_counted(op, counts, profile) for op in Op}
    return Estimate(
        counts,
        profile,
        tuple(
            LayerEnergy(
                layer,
                {
                    op: number * pj
                    for op, number in layer.ops.items()
                    if number and (pj := pj_per[op]) is not None
                },
            )
            for layer in counts.layers
        ),
    )


def _pj_per_counted(op: Op, counts: Counts, profile: HardwareProfile) -> float | None:
    pj = profile.energy_pj(op)
    if pj is not None and op.scales_with_precision:
        pj *= profile.value_bytes / counts.value_bytes
    return pj


@dataclass(frozen=True)
class Saving:
    """What the spiking variant saves in one part of the model.

    Attributes:
        block: Block, or `total`.
        component: Component, or `total` of the block.
        accounting: `compute` or `full`.
        asa_pj: Energy of the analog variant in picojoules; None where a MAC or AC is unpriced.
        ssa_pj: Energy of the spiking variant in picojoules; None likewise.
        unpriced: Operations of either side that have no price and are therefore missing.
    """

    block: str
    component: str
    accounting: str
    asa_pj: float | None
    ssa_pj: float | None
    unpriced: tuple[Op, ...]

    @property
    def saving(self) -> float | None:
        """1 - SSA / ASA; None where a side is unpriced or the analog part costs nothing."""
        if self.asa_pj is None or self.ssa_pj is None or self.asa_pj == 0:
            return None
        return 1 - self.ssa_pj / self.asa_pj


def saving(
    asa: Estimate,
    ssa: Estimate,
    accounting: str = "compute",
    *,
    block: str | None = None,
    component: str | None = None,
) -> Saving:
    """Compare the two variants in one part of the model.

    A part whose MACs or ACs have no price has no energy: the comparison would be between what
    happens to be priced. Other operations without a price are named in `unpriced`.

    Args:
        asa: Bill of the analog variant.
        ssa: Bill of the spiking variant.
        accounting: `compute` or `full`.
        block: Only this block; None for all.
        component: Only this component; None for all.
    """
    parts = [side.counts.only(block=block, component=component) for side in (asa, ssa)]
    missing = [
        {op for op in Op if part.total(op) and side.profile.energy_pj(op) is None}
        for side, part in zip((asa, ssa), parts, strict=True)
    ]
    energies = [
        None if lacks & COMPUTE else side.energy_pj(accounting, block=block, component=component)
        for side, lacks in zip((asa, ssa), missing, strict=True)
    ]
    relevant = (op for op in Op if accounting == "full" or op.group == "compute")
    return Saving(
        block or "total",
        component or "total",
        accounting,
        energies[0],
        energies[1],
        tuple(op for op in relevant if op in missing[0] | missing[1]),
    )
