"""The bill of one layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from energy.counts import Counts, LayerCount
from energy.table import Column, at, attributes
from energy.words import op_names
from hwmodels import Buffer, Dataflow, HardwareProfile, Op

Key = TypeVar("Key")

#: The accountings of a saving: MACs and ACs alone, and everything that has a price at both ends of
#: what moves between products.
ACCOUNTINGS = ("compute", "fused", "unfused")

#: Everything that has a price, at the bound that the profile names.
FULL = "full"

#: Headings of the bill, in the order they are shown; see `Op.group`.
GROUPS = ("compute", "scalar", "neuron", "routing", "delivery", "memory")

#: What the heading `memory` is split into.
STORED = ("weights", "activations", "kv")

_STORED_IN = {Buffer.WEIGHTS: "weights", Buffer.KV_CACHE: "kv"}

#: The operations under each heading, and under each part of `memory`: biases are with the weights,
#: spikes and membrane potentials with the activations.
IN_GROUP = {group: frozenset(op for op in Op if op.group == group) for group in GROUPS} | {
    part: frozenset(
        op for op in Op if op.buffer and _STORED_IN.get(op.buffer, "activations") == part
    )
    for part in STORED
}

#: What a matrix product is made of; a part in which one of these has no price has no energy.
COMPUTE = frozenset({Op.MAC, Op.AC, Op.SHIFT_AC})


def relevant_ops(accounting: str) -> tuple[Op, ...]:
    """The operations that an accounting charges: MACs and ACs (`compute`), or all (the others)."""
    return tuple(op for op in Op if accounting != "compute" or op.group == "compute")


class LayerTime(NamedTuple):
    """How long a layer takes."""

    seconds: float
    bound: str  #: `arithmetic`, or the memory level that takes longest


def known_pj(pj: float, missing: Iterable[Op]) -> float | None:
    """Energy in picojoules of a part that was counted, or None: a gap is never a zero.

    Args:
        pj: That of what has a price.
        missing: What of the part has none: any other operation than those of `COMPUTE` may be
            missing beside something that has a price.
    """
    missing = tuple(missing)
    if not missing:
        return pj
    return None if COMPUTE.intersection(missing) or not pj else pj


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """The bill of one layer."""

    count: LayerCount  #: what was counted, as executed
    #: energy by operation in picojoules; operations without a price are missing
    pj: Mapping[Op, float]
    level_pj: Mapping[str, float]  #: energy of memory traffic by memory level, in picojoules
    #: bytes that move, by memory level
    level_bytes: Mapping[str, float] = field(default_factory=dict)
    time: LayerTime | None = None  #: how long it takes, and why; None where unknown

    def plus(self, other: LayerEnergy, count: LayerCount) -> LayerEnergy:
        """The bill of the layer in two phases; `count` is the sum of both counts."""
        return LayerEnergy(
            count,
            _sum(self.pj, other.pj),
            _sum(self.level_pj, other.level_pj),
            _sum(self.level_bytes, other.level_bytes),
        )

    @property
    def lacks_compute(self) -> bool:
        """Whether a MAC or an AC has no price: the sums below are then no energy of the layer."""
        counted = self.count.tally.ops
        return any(counted.get(op) and op not in self.pj for op in COMPUTE)

    def group_pj(self, group: str) -> float:
        """Energy of one heading of `GROUPS`, or of a part of `STORED`, in picojoules."""
        return math.fsum([pj for op, pj in self.pj.items() if op in IN_GROUP[group]])

    @property
    def compute_pj(self) -> float:
        """Energy of MACs and ACs in picojoules: the convention of the spiking literature."""
        return self.group_pj("compute")

    @property
    def total_pj(self) -> float:
        """Energy of everything that has a price, in picojoules."""
        return math.fsum(self.pj.values())


def _sum(a: Mapping[Key, float], b: Mapping[Key, float]) -> dict[Key, float]:
    return {key: a.get(key, 0.0) + b.get(key, 0.0) for key in {**a, **b}}


class BillRow(NamedTuple):
    """A row of a table of bills."""

    counts: Counts
    profile: HardwareProfile
    dataflow: Dataflow
    layer: LayerEnergy

    @property
    def energy_pj(self) -> float | None:
        """Energy of the layer in picojoules; None where it is not known, see `known_pj`."""
        return known_pj(self.layer.total_pj, self._missing)

    @property
    def _missing(self) -> list[Op]:
        counted = self.layer.count.tally.ops
        return [op for op in Op if counted.get(op) and not self.profile.is_priced(op)]

    @property
    def unpriced(self) -> str:
        """Operations of the layer that have no price."""
        return op_names(self._missing)

    def group_pj(self, group: str) -> float | None:
        """Energy of one heading of `GROUPS`, likewise."""
        missing = (op for op in self._missing if op.group == group)
        return known_pj(self.layer.group_pj(group), missing)


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
