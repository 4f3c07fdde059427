"""The bill of each layer as columns, and the views of them: one layer, one row of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress
from operator import methodcaller
from typing import Any, NamedTuple, TypeVar

import numpy as np

from energy.bill.kept import kept
from energy.bill.latency import Times, layer_times
from energy.bill.layer import ALL, COMPUTE, GROUPS, IN_GROUP, LayerEnergy
from energy.bill.pricing import Work, terms
from energy.counts import Counts, LayerCount
from energy.counts.columns import Floats, Ints, Mask
from energy.counts.row_sums import row_sums
from energy.counts.views import Views
from energy.table import Column, at, attributes
from energy.words import op_names
from hwmodels import Dataflow, HardwareProfile, Op

Key = TypeVar("Key")


@dataclass(frozen=True, eq=False)
class Priced:
    """Energies of layers in picojoules, a column for each operation and memory level."""

    counts: Counts  #: what was counted, as executed
    profile: HardwareProfile
    #: by operation; operations without a price are missing
    pj: Mapping[Op, Floats]
    charged: Mapping[Op, Floats]  #: what they are charged for: operations, or bytes
    level_pj: Mapping[str, Floats]  #: of memory traffic by memory level
    level_bytes: Mapping[str, Floats]  #: bytes that move, by memory level
    times: Times | None = None  #: how long layers take; None for several phases together
    answers: dict[object, Any] = field(default_factory=dict, repr=False)  #: see `kept`

    def __eq__(self, other: object) -> bool:
        """Whether it is the same bill of the same counts."""
        if not isinstance(other, Priced):
            return NotImplemented
        ours, theirs = ((x.counts, x.profile, x.layers) for x in (self, other))
        return ours == theirs

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        """Number of layers."""
        return len(self.counts.layers)

    @cached_property
    def layers(self) -> Sequence[LayerEnergy]:
        """The bill of each layer."""
        return Views(len(self), self._layer)

    def _layer(self, row: int) -> LayerEnergy:
        used = {level: float(moved[row]) for level, moved in self.level_bytes.items() if moved[row]}
        return LayerEnergy(
            self.counts.layers[row],
            {op: float(pj[row]) for op, pj in self.pj.items() if self.charged[op][row]},
            {level: float(self.level_pj[level][row]) for level in used},
            used,
            self.times and self.times.of(row),
        )

    @kept
    def group_pj(self, group: str) -> Floats:
        """Energy of one heading of `GROUPS`, a part of `STORED`, or `ALL`, per layer."""
        inside = [pj for op, pj in self.pj.items() if op in IN_GROUP[group]]
        return row_sums(inside, len(self))

    @kept
    def sum_pj(
        self, group: str, block: str | None, component: str | None, more: float = 0.0
    ) -> float:
        """The same of all layers, or those in a block that have a component, and `more`."""
        pj = self.group_pj(group)
        if block is not None or component is not None:
            pj = pj[self.counts.columns.within(block, component)]
        return math.fsum((more, *pj.tolist()))

    def known_pj(self, group: str, row: int) -> float | None:
        """The same of one layer; None where it is not known: see `layer.known_pj`."""
        unknown = self._unknown(group)
        return None if unknown[row] else float(self.group_pj(group)[row])

    def all_known_pj(self, group: str, rows: slice) -> list[float | None]:
        """Those of some layers."""
        known: list[float | None] = self.group_pj(group)[rows].tolist()
        for row in np.flatnonzero(self._unknown(group)[rows]).tolist():
            known[row] = None
        return known

    @kept
    def _unknown(self, group: str) -> Mask:
        lacking = [op for op in self.unpriced if op in IN_GROUP[group]]
        if not lacking:
            return np.broadcast_to(np.False_, len(self))
        ops = self.counts.columns.op
        nothing: Mask = (self.group_pj(group) == 0) & (ops(*lacking) > 0)
        return nothing | (ops(*COMPUTE.intersection(lacking)) > 0)

    def occurs(self, group: str) -> bool:
        """Whether a heading, or any, has operations."""
        return not IN_GROUP[group].isdisjoint(self.counts.columns.ops)

    @cached_property
    def unpriced(self) -> list[Op]:
        """Operations that occur and have no price."""
        ops = self.counts.columns.ops
        return [op for op in Op if op in ops and not self.profile.is_priced(op)]

    def unpriced_in(self, rows: slice) -> list[str]:
        """The operations of some layers that have no price, as words."""
        if not self.unpriced:
            return [""] * len(range(len(self))[rows])
        ops = self.counts.columns.ops
        numbers = zip(*(ops[op][rows].tolist() for op in self.unpriced), strict=True)
        return [op_names(compress(self.unpriced, row)) for row in numbers]

    def plus(self, other: Priced, counts: Counts) -> Priced:
        """The bill of two phases; `counts` is the sum of both counts."""
        return Priced(
            counts,
            self.profile,
            _sum(self.pj, other.pj),
            _sum(self.charged, other.charged),
            _sum(self.level_pj, other.level_pj),
            _sum(self.level_bytes, other.level_bytes),
        )

    def take(self, rows: Ints) -> Priced:
        """The bill of some layers."""
        return Priced(
            replace(self.counts, layers=tuple(self.counts.layers[i] for i in rows)),
            self.profile,
            _only(self.pj, rows),
            _only(self.charged, rows),
            _only(self.level_pj, rows),
            _only(self.level_bytes, rows),
        )


def priced(work: Work, profile: HardwareProfile) -> Priced:
    """The bill of each layer of counted work on a machine."""
    pj: dict[Op, Floats] = {}
    level_pj: dict[str, Floats] = {}
    level_bytes: dict[str, Floats] = {}
    charged: dict[Op, Floats] = {}
    for term in terms(work, profile):
        value = term.constant.pj(profile) if term.constant else 0.0
        cost = term.amounts * value
        pj[term.op] = pj[term.op] + cost if term.op in pj else cost
        charged[term.op] = work.amounts[term.op]
        if term.constant and (level := term.constant.level):
            level_pj = _sum(level_pj, {level: cost})
            level_bytes = _sum(level_bytes, {level: term.amounts})
    times = layer_times(work.counts.columns.ops, level_bytes, profile, len(work.counts.layers))
    return Priced(work.counts, profile, pj, charged, level_pj, level_bytes, times)


def _only(columns: Mapping[Key, Floats], rows: Ints) -> dict[Key, Floats]:
    return {key: numbers[rows] for key, numbers in columns.items()}


def _sum(a: Mapping[Key, Floats], b: Mapping[Key, Floats]) -> dict[Key, Floats]:
    return {**a, **b, **{key: a[key] + b[key] for key in a.keys() & b.keys()}}


class BillRow(NamedTuple):
    """A row of a table of bills."""

    priced: Priced
    dataflow: Dataflow
    row: int

    @property
    def layer(self) -> LayerCount:
        """What was counted."""
        return self.priced.counts.layers[self.row]

    @property
    def unpriced(self) -> str:
        """Operations of the layer that have no price."""
        return self.priced.unpriced_in(slice(self.row, self.row + 1))[0]

    def pj(self, group: str) -> float | None:
        """Energy of one heading of `GROUPS`, or of all, in picojoules; None where not known."""
        return self.priced.known_pj(group, self.row)


def _group(group: str) -> Column[BillRow]:
    name = "energy" if group == ALL else group
    return Column(f"{name}_pj", methodcaller("pj", group), dtype="float64")


#: Columns of a frame of a bill.
ESTIMATE_COLUMNS: tuple[Column[BillRow], ...] = (
    Column("hw", at("priced.profile.name")),
    Column("dataflow", at("dataflow.value")),
    *attributes("priced.counts", "variant"),
    Column("layer", at("layer.name")),
    *attributes("layer", "kind"),
    *attributes("layer.label", "block", "component"),
    Column("depth", at("layer.label.depth"), dtype="Int64"),
    *attributes("layer", "calls"),
    Column("spike_rate", at("layer.spike_rate"), dtype="float64"),
    *map(_group, (*GROUPS, ALL)),
    *attributes("", "unpriced"),
    *attributes("priced.counts", "timesteps", "phase", "tokens", "model", "weights"),
)
