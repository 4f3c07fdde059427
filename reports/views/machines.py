"""The analog model on one machine against the spiking one on another."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from energy import Estimate, Saving, saving
from energy.bill.layer import ACCOUNTINGS
from energy.table import Column, Table, at, attributes
from energy.words import energy, op_names, percent
from hwmodels.pair import beside
from reports.kit.caveats import OF_TWO_MACHINES
from reports.kit.files import write_text
from reports.kit.parts import ACCOUNTING_NAMES, block_name, scopes
from reports.kit.table import print_sentence, print_table


class Line(NamedTuple):
    """A part of the model in one accounting."""

    asa_hw: str  #: the machine of the analog model
    ssa_hw: str  #: that of the spiking one
    part: Saving
    block: str | None

    @property
    def ratio(self) -> float | None:
        """How many times as much the analog side spends; None where a side is not known."""
        asa, ssa = self.part.asa_pj, self.part.ssa_pj
        return asa / ssa if asa is not None and ssa else None


#: Columns of `machines.csv`; what has no price is an empty cell.
COLUMNS: tuple[Column[Line], ...] = (
    *attributes("", "asa_hw", "ssa_hw"),
    Column("block", at("part.block")),
    Column("accounting", at("part.accounting")),
    Column("asa_pj", at("part.asa_pj")),
    Column("ssa_pj", at("part.ssa_pj")),
    Column("saving", at("part.saving")),
    Column("ratio", at("ratio")),
    Column("unpriced", lambda x: op_names(x.part.unpriced)),
)


def machines_table(asa: Estimate, ssa: Estimate) -> Table[Line]:
    """`machines.csv`: each block and the model in each accounting."""
    rows = [
        Line(asa.profile.name, ssa.profile.name, saving(asa, ssa, accounting, block=block), block)
        for block, _ in scopes(asa.counts, ssa.counts, components=False)
        for accounting in ACCOUNTINGS
    ]
    return Table(COLUMNS, rows)


def _counted(line: Line) -> str:
    return ACCOUNTING_NAMES[line.part.accounting]


def write_machines(asa: Estimate, ssa: Estimate, path: Path) -> Path:
    """Write the table."""
    return write_text(path, machines_table(asa, ssa).to_csv())


def print_machines(asa: Estimate, ssa: Estimate, console: Console) -> None:
    """Print it, under the names of both machines."""
    shown = (
        Column[Line]("part", lambda x: block_name(x.block), "part", words=True, key=True),
        Column[Line](
            "counted",
            lambda x: ACCOUNTING_NAMES[x.part.accounting],
            "counted",
            words=True,
            key=True,
        ),
        Column[Line]("asa", lambda x: energy(x.part.asa_pj), f"analog on {asa.profile.name}"),
        Column[Line]("ssa", lambda x: energy(x.part.ssa_pj), f"spiking on {ssa.profile.name}"),
        Column[Line]("saving", at("part.saving"), "less", percent),
    )
    table = machines_table(asa, ssa)
    title = beside(asa.profile, ssa.profile).title
    print_table(Table(shown, table.rows, title, group=lambda x: x.block), console)
    print_sentence(
        OF_TWO_MACHINES,
        console,
    )
    for side in (asa, ssa):
        if side.unpriced:
            names = ", ".join(op.value for op in side.unpriced)
            where = f"{side.counts.variant} on {side.profile.name}"
            print_sentence(f"Without a price, so in no sum of {where}: {names}.", console, "yellow")
