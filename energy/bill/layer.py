"""The bill of one layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from energy.counts import LayerCount
from hwmodels import Buffer, Op

#: The accountings of a saving: MACs and ACs alone, and everything that has a price at both ends of
#: what moves between products.
ACCOUNTINGS = ("compute", "fused", "unfused")

#: Everything that has a price, at the bound that the profile names.
FULL = "full"

#: Headings of the bill, in the order they are shown; see `Op.group`.
GROUPS = ("compute", "scalar", "neuron", "routing", "delivery", "memory")

#: What the heading `memory` is split into.
STORED = ("weights", "activations", "kv")

#: All headings together.
ALL = "all"

_STORED_IN = {Buffer.WEIGHTS: "weights", Buffer.KV_CACHE: "kv"}

#: The operations under each heading, and under each part of `memory`: biases are with the weights,
#: spikes and membrane potentials with the activations.
IN_GROUP = {
    **{group: frozenset(op for op in Op if op.group == group) for group in GROUPS},
    **{
        part: frozenset(
            op for op in Op if op.buffer and _STORED_IN.get(op.buffer, "activations") == part
        )
        for part in STORED
    },
    ALL: frozenset(Op),
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
