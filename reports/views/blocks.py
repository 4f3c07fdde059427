"""What each block of a model spends its energy on, at both bounds: `blocks.csv`, and for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from energy import Estimate
from energy.bill.both import machine_of
from energy.bill.layer import GROUPS, IN_GROUP, STORED, known_pj
from energy.table import Column, Table, at, attributes
from energy.words import energy, op_names
from hwmodels import Op
from reports.kit.parts import BOUNDS, SPENT_ON, block_name, scopes
from reports.run.run import Run

#: What energy is spent on: the headings of a bill, memory by what is stored.
PARTS = (*(group for group in GROUPS if group != "memory"), *STORED)


class BlockBill(NamedTuple):
    """The bill of a block, or of the model, of one variant at one bound."""

    bill: Estimate  #: that of the model
    block: str | None  #: None for the model

    @property
    def unpriced(self) -> list[Op]:
        """What was counted in it and has no price."""
        counted = self.bill.counted(self.block)
        return [op for op in self.bill.unpriced if op in counted]

    def spent_on(self, part: str) -> float | None:
        """Energy in picojoules of one of `PARTS`; None where it is not known, see `known_pj`."""
        pj = self.bill.group_pj(part, self.block)
        return known_pj(pj, (op for op in self.unpriced if op in IN_GROUP[part]))

    @property
    def static_pj(self) -> float | None:
        """Static energy, which belongs to no block."""
        return None if self.block else self.bill.static_pj

    @property
    def energy_pj(self) -> float | None:
        """All that has a price; None likewise."""
        return known_pj(self.bill.energy_pj(block=self.block), self.unpriced)


#: `blocks.csv`.
BLOCK_COLUMNS: tuple[Column[BlockBill], ...] = (
    Column("hw", at("bill.profile.name")),
    *attributes("bill", "dataflow"),
    *attributes("bill.profile", "fusion"),
    *attributes("bill.counts", "variant"),
    Column("block", lambda line: line.block or "total"),
    *(Column(f"{part}_pj", partial(BlockBill.spent_on, part=part)) for part in PARTS),
    *attributes("", "static_pj", "energy_pj"),
    Column("unpriced", lambda line: op_names(line.unpriced)),
    *attributes("bill.counts", "model", "weights"),
)


def blocks(run: Run) -> Table[BlockBill]:
    """One row per hardware, bound, variant and block, and the model after its blocks."""
    return Table(
        BLOCK_COLUMNS,
        [
            line
            for pair in run.estimates.values()
            for bound in BOUNDS
            for bill in pair
            for line in _lines(bill.under(bound))
        ],
    )


def _lines(bill: Estimate) -> list[BlockBill]:
    return [BlockBill(bill, block) for block, _ in scopes(bill.counts, components=False)]


_KEYS: tuple[Column[BlockBill], ...] = (
    Column("block", lambda line: block_name(line.block), "part", words=True, key=True),
    Column("fusion", at("bill.profile.fusion"), "all priced", words=True, key=True),
    Column(
        "variant",
        lambda line: {"asa": "analog", "ssa": "spiking"}[line.bill.counts.variant],
        "model",
        words=True,
        key=True,
    ),
)


def block_table(run: Run, hw: str) -> Table[BlockBill]:
    """What each block spends its energy on, both bounds and both models below each other."""
    pair = run.estimates[hw]
    rows = [
        BlockBill(bill.under(bound), block)
        for block, _ in scopes(*(bill.counts for bill in pair), components=False)
        for bound in BOUNDS
        for bill in pair
    ]
    return Table(
        (*_KEYS, *map(_column, _spent(rows)), _SUM),
        rows,
        f"What the energy is spent on, {machine_of(*pair).title}",
        group=lambda row: row.block,
        strong=lambda row: row.block is None,
    )


def _spent(rows: Sequence[BlockBill]) -> list[str]:
    """Those of `PARTS` that cost something, or of which nobody knows."""
    return [part for part in PARTS if any(row.spent_on(part) != 0 for row in rows)]


def _column(part: str) -> Column[BlockBill]:
    return Column(f"{part}_pj", lambda row: energy(row.spent_on(part), 3), SPENT_ON[part])


_SUM: Column[BlockBill] = Column("energy_pj", lambda row: energy(row.energy_pj), "sum")
