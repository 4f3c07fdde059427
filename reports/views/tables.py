"""The tables of a run: what each column of `layers.csv`, `savings.csv`, `energy.csv` holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import methodcaller
from pathlib import Path
from typing import overload

from energy import Counts, Estimate, Label, LayerCount, Saving, Tally, saving
from energy.bill.layer import ACCOUNTINGS, ALL, GROUPS, IN_GROUP, STORED, known_pj
from energy.counts.counts import CountRow
from energy.table import Column, Table, at, attributes
from energy.words import op_names
from hwmodels import Op
from reports.kit.files import write_texts
from reports.kit.parts import scopes
from reports.run.run import Run

_TOTAL = LayerCount("TOTAL", "", Label("", ""))
#: Lines whose cells are found together.
_TOGETHER = 2**13


@dataclass(frozen=True)
class Line:
    """One line of a bill."""

    bill: Estimate  #: the bill
    row: int | None = None  #: which of its layers; None for all of them together

    def __len__(self) -> int:
        """It is one, where others of `energies` are some thousands."""
        return 1

    @property
    def count(self) -> LayerCount:
        """What was counted in the layer."""
        return _TOTAL if self.row is None else self.bill.counts.layers[self.row]

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.count.name

    def place(self, part: str) -> str:
        """Its block or component."""
        found: str = getattr(self.count.label, part)
        return found

    @property
    def unpriced(self) -> str:
        """What of it has no price."""
        if self.row is None:
            return op_names(self.bill.unpriced)
        return self.bill.priced.unpriced_in(slice(self.row, self.row + 1))[0]

    def group_pj(self, group: str) -> float | None:
        """Energy of a heading, a part of it, or all; None where not known, see `known_pj`."""
        if self.row is not None:
            return self.bill.priced.known_pj(group, self.row)
        missing = [op for op in self.bill.unpriced if op in IN_GROUP[group]]
        return known_pj(
            self.bill.energy_pj() if group == ALL else self.bill.group_pj(group), missing
        )

    @property
    def static_pj(self) -> float | None:
        """Static energy, which belongs to no layer."""
        return self.bill.static_pj if self.row is None else None


@dataclass(frozen=True)
class _Stretch:
    """Layers that follow each other in a bill, with what `ENERGY_COLUMNS` ask of a `Line`."""

    bill: Estimate
    rows: slice
    static_pj: None = None

    def __len__(self) -> int:
        return len(self.name)

    @property
    def name(self) -> Sequence[str]:
        return self.bill.counts.columns.names[self.rows]

    def place(self, part: str) -> list[str] | str:
        rows = self.bill.counts.columns
        words = [getattr(label, part) for label in rows.labels.all]
        return [words[i] for i in rows.label[self.rows].tolist()] if words[1:] else words[0]

    @property
    def unpriced(self) -> list[str] | str:
        return self.bill.priced.unpriced_in(self.rows) if self.bill.unpriced else ""

    def group_pj(self, group: str) -> list[float | None] | float:
        priced = self.bill.priced
        return priced.all_known_pj(group, self.rows) if priced.occurs(group) else 0.0


class _Lines(Sequence[Line]):
    """Each layer of each bill, and behind those of a bill all of them together."""

    def __init__(self, bills: Iterable[Estimate]) -> None:
        self._bills = tuple(bills)

    @cached_property
    def _all(self) -> list[Line]:
        return [Line(bill, row) for bill in self._bills for row in (*range(len(bill.priced)), None)]

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        return self._all[index]

    def stretches(self) -> Iterator[Line | _Stretch]:
        """They, thousands at a time; see `energy.table.Stretched`."""
        for bill in self._bills:
            for start in range(0, len(bill.priced), _TOGETHER):
                yield _Stretch(bill, slice(start, start + _TOGETHER))
            yield Line(bill)


def _amount(op: Op, line: Line) -> float:
    return line.count.tally.ops.get(op, 0)


def _touched(line: Line) -> float | None:
    """Share of the weights of a layer that the calls needed; None where nobody looked."""
    tally = Tally.total(counts.layers[line.row or 0].tally for counts in line.bill.made_of)
    read = tally.ops.get(Op.WEIGHT_READ)
    return tally.touched_weights / read if read and tally.touched_weights is not None else None


_SIDE: tuple[Column[Line], ...] = (
    Column("hw", at("bill.profile.name")),
    *attributes("bill.profile", "fusion"),
    *attributes("bill.counts", "variant"),
    Column("layer", at("name")),
)
_PLACE: tuple[Column[Line], ...] = tuple(
    Column(part, methodcaller("place", part)) for part in ("block", "component")
)
_GROUPS: tuple[Column[Line], ...] = tuple(
    Column(f"{part}_pj", methodcaller("group_pj", part)) for part in (*GROUPS, *STORED)
)
_END: tuple[Column[Line], ...] = (
    Column("energy_pj", methodcaller("group_pj", ALL)),
    *attributes("", "unpriced"),
    *attributes("bill.counts", "model", "weights"),
)

#: `layers.csv`: counts, spike rate and energy by heading of each layer.
LAYER_COLUMNS: tuple[Column[Line], ...] = (
    *_SIDE,
    *attributes("count", "kind"),
    *_PLACE,
    Column("depth", at("count.label.depth"), dtype="Int64"),
    *attributes("count", "calls"),
    *attributes("count.tally", "dense_macs"),
    *(Column(op.value, partial(_amount, op)) for op in Op if op.group in ("compute", "neuron")),
    *attributes("count.tally", "spikes", "slots"),
    *attributes("count", "spike_rate"),
    Column("weights_touched", _touched, dtype="float64"),
    *_GROUPS,
    *_END,
)

#: `energy.csv`: energy by heading of each layer, and of all of them, memory also by what is stored;
#: at the bound that `fusion` names.
ENERGY_COLUMNS: tuple[Column[Line], ...] = (
    *_SIDE,
    *_PLACE,
    *_GROUPS,
    *attributes("", "static_pj"),
    *_END,
)


@dataclass(frozen=True)
class SavingLine:
    """One saving, with the counts behind it."""

    hw: str  #: name of the hardware
    saving: Saving  #: what is saved
    asa: Counts  #: counts of that part of the analog model
    ssa: Counts  #: counts of that part of the spiking model


#: `savings.csv`.
SAVING_COLUMNS: tuple[Column[SavingLine], ...] = (
    *attributes("", "hw"),
    *attributes("saving", "block", "component", "accounting", "asa_pj", "ssa_pj", "saving"),
    Column("asa_mac", lambda line: line.asa.total(Op.MAC)),
    Column("ssa_mac", lambda line: line.ssa.total(Op.MAC)),
    Column("ssa_ac", lambda line: line.ssa.total(Op.AC)),
    Column("ssa_shift_ac", lambda line: line.ssa.total(Op.SHIFT_AC)),
    *attributes("ssa", "events_per_mac"),
    Column("unpriced", lambda line: op_names(line.saving.unpriced)),
    *attributes("ssa", "timesteps", "phase", "tokens", "attention", "model", "weights"),
)


def counts(run: Run) -> Table[CountRow]:
    """One row per phase, variant and layer, with the spike rate."""
    tables = [side.table() for phase in run.phases for side in (phase.asa, phase.ssa)]
    return Table(tables[0].columns, [row for table in tables for row in table.rows])


def layers(run: Run) -> Table[Line]:
    """One row per hardware, variant and layer."""
    bills = [bill for pair in run.estimates.values() for bill in pair]
    lines = [Line(bill, row) for bill in bills for row, _ in enumerate(bill.counts.layers)]
    return Table(LAYER_COLUMNS, lines)


def energies(bills: Iterable[Estimate]) -> Table[Line]:
    """One row per layer of each bill, and a `TOTAL` after them."""
    return Table(ENERGY_COLUMNS, _Lines(bills))


def savings(run: Run) -> Table[SavingLine]:
    """One row per hardware, accounting, block and component, block totals and the grand total."""
    return Table(
        SAVING_COLUMNS,
        [
            SavingLine(
                hw,
                saving(asa, ssa, accounting, block=block, component=component),
                asa.counts.only(block=block, component=component),
                ssa.counts.only(block=block, component=component),
            )
            for hw, (asa, ssa) in run.estimates.items()
            for accounting in ACCOUNTINGS
            for block, component in scopes(asa.counts, ssa.counts)
        ],
    )


def write_prices(bills: Iterable[Estimate], path: Path) -> Path:
    """Write `energy.csv`: energy per row and a `TOTAL` row, per hardware and variant."""
    return write_texts(path, energies(bills).csv_blocks())
