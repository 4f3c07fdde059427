"""The bill of one layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from energy.counts import Counts, LayerCount
from energy.table import Column, at, attributes
from energy.words import op_names
from hwmodels import Dataflow, HardwareProfile, Op

#: The accountings of a saving: MACs and ACs alone, and everything that has a price at both ends of
#: what moves between products.
ACCOUNTINGS = ("compute", "fused", "unfused")

#: Everything that has a price, at the bound that the profile names.
FULL = "full"

#: Headings of the bill, in the order they are shown; see `Op.group`.
GROUPS = ("compute", "scalar", "neuron", "routing", "delivery", "memory")

#: What a matrix product is made of; a part in which one of these has no price has no energy.
COMPUTE = frozenset({Op.MAC, Op.AC, Op.SHIFT_AC})


def relevant_ops(accounting: str) -> tuple[Op, ...]:
    """The operations that an accounting charges: MACs and ACs (`compute`), or all (the others)."""
    return tuple(op for op in Op if accounting != "compute" or op.group == "compute")


class LayerTime(NamedTuple):
    """How long a layer takes."""

    seconds: float
    bound: str  #: `arithmetic`, or the memory level that takes longest


@dataclass(frozen=True)
class LayerEnergy:
    """The bill of one layer."""

    count: LayerCount  #: what was counted, as executed
    #: energy by operation in picojoules; operations without a price are missing
    pj: Mapping[Op, float]
    level_pj: Mapping[str, float]  #: energy of memory traffic by memory level, in picojoules
    level_bytes: Mapping[str, float] = field(
        default_factory=dict
    )  #: bytes that move, by memory level
    time: LayerTime | None = None  #: how long it takes, and why; None where unknown

    @property
    def lacks_compute(self) -> bool:
        """Whether a MAC or an AC has no price: the sums below are then no energy of the layer."""
        counted = self.count.tally.ops
        return any(counted.get(op) and op not in self.pj for op in COMPUTE)

    def group_pj(self, group: str) -> float:
        """Energy of one heading of `GROUPS` in picojoules."""
        return math.fsum(pj for op, pj in self.pj.items() if op.group == group)

    @cached_property
    def compute_pj(self) -> float:
        """Energy of MACs and ACs in picojoules: the convention of the spiking literature."""
        return self.group_pj("compute")

    @cached_property
    def total_pj(self) -> float:
        """Energy of everything that has a price, in picojoules."""
        return math.fsum(self.pj.values())


class BillRow(NamedTuple):
    """A row of a table of bills."""

    counts: Counts
    profile: HardwareProfile
    dataflow: Dataflow
    layer: LayerEnergy

    @property
    def energy_pj(self) -> float | None:
        """Energy of the layer in picojoules; None where a MAC or an AC has no price."""
        return None if self.layer.lacks_compute else self.layer.total_pj

    @property
    def unpriced(self) -> str:
        """Operations of the layer that have no price."""
        counted = self.layer.count.tally.ops
        return op_names(op for op in Op if counted.get(op) and not self.profile.is_priced(op))

    def group_pj(self, group: str) -> float | None:
        """Energy of one heading of `GROUPS`, likewise."""
        lost = group == "compute" and self.layer.lacks_compute
        return None if lost else self.layer.group_pj(group)


def _group(group: str) -> Column[BillRow]:
    return Column(f"{group}_pj", lambda row: row.group_pj(group), dtype="float64")


#: Columns of a frame of a bill.
ESTIMATE_COLUMNS: tuple[Column[BillRow], ...] = (
    Column("hw", at("profile.name")),
    Column("dataflow", at("dataflow.value")),
    *attributes("counts", "variant"),
    Column("layer", at("layer.count.name")),
    *attributes("layer.count", "kind"),
    *attributes("layer.count.label", "block", "component"),
    Column("depth", at("layer.count.label.depth"), dtype="Int64"),
    *attributes("layer.count", "calls"),
    Column("spike_rate", at("layer.count.spike_rate"), dtype="float64"),
    *map(_group, GROUPS),
    Column("energy_pj", at("energy_pj"), dtype="float64"),
    *attributes("", "unpriced"),
    *attributes("counts", "timesteps", "phase", "tokens", "model", "weights"),
)
