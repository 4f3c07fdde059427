"""The tables of a run: what each column of `layers.csv`, `savings.csv`, `energy.csv` holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from operator import methodcaller
from pathlib import Path

from energy import Counts, Estimate, Label, LayerCount, LayerEnergy, Saving, saving
from energy.bill.layer import ACCOUNTINGS, GROUPS, IN_GROUP, STORED, known_pj
from energy.counts.counts import CountRow
from energy.table import Column, Table, at, attributes
from energy.words import op_names
from hwmodels import Op
from reports.kit.files import write_text
from reports.kit.parts import scopes
from reports.run.run import Run

_TOTAL = LayerCount("TOTAL", "", Label("", ""))


@dataclass(frozen=True)
class Line:
    """One line of a bill."""

    bill: Estimate  #: the bill
    layer: LayerEnergy | None = None  #: one of its layers; None for all of them together

    @property
    def count(self) -> LayerCount:
        """What was counted in the layer."""
        return self.layer.count if self.layer else _TOTAL

    @cached_property
    def unpriced(self) -> tuple[Op, ...]:
        """What of it has no price."""
        missing = tuple(self.bill.unpriced)
        if not self.layer or not missing:
            return missing
        counted = self.layer.count.tally.ops
        return tuple(op for op in missing if counted.get(op))

    def group_pj(self, group: str) -> float | None:
        """Energy of a heading or a part of it; None where it is not known, see `known_pj`."""
        missing = [op for op in self.unpriced if op in IN_GROUP[group]] if self.unpriced else ()
        return known_pj((self.layer or self.bill).group_pj(group), missing)

    @property
    def static_pj(self) -> float | None:
        """Static energy, which belongs to no layer."""
        return None if self.layer else self.bill.static_pj

    @property
    def energy_pj(self) -> float | None:
        """All that has a price; None likewise."""
        pj = self.layer.total_pj if self.layer else self.bill.energy_pj()
        return known_pj(pj, self.unpriced)


def _amount(op: Op, line: Line) -> float:
    return line.count.tally.ops.get(op, 0)


_SIDE: tuple[Column[Line], ...] = (
    Column("hw", at("bill.profile.name")),
    *attributes("bill.profile", "fusion"),
    *attributes("bill.counts", "variant"),
    Column("layer", at("count.name")),
)
_PLACE = attributes("count.label", "block", "component")
_GROUPS: tuple[Column[Line], ...] = tuple(
    Column(f"{part}_pj", methodcaller("group_pj", part)) for part in (*GROUPS, *STORED)
)
_END: tuple[Column[Line], ...] = (
    *attributes("", "energy_pj"),
    Column("unpriced", lambda line: op_names(line.unpriced)),
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
    return Table(LAYER_COLUMNS, [Line(bill, layer) for bill in bills for layer in bill.layers])


def energies(bills: Iterable[Estimate]) -> Table[Line]:
    """One row per layer of each bill, and a `TOTAL` after them."""
    return Table(
        ENERGY_COLUMNS, [Line(bill, layer) for bill in bills for layer in (*bill.layers, None)]
    )


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
    return write_text(path, energies(bills).to_csv())
