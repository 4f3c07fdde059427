"""A run under the accounting of Lemaire et al., on the terminal and as a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from energy.literature.lemaire import PARTS
from energy.literature.lemaire_bill import ASSUMPTIONS, Bill, LayerBill
from energy.table import Column, Table, attributes
from energy.words import energy
from reports.kit.files import write_text
from reports.kit.table import print_table


class Priced(NamedTuple):
    """The bill of a run on one piece of hardware."""

    hw: str
    bill: Bill


class Line(NamedTuple):
    """A row of a run on one piece of hardware."""

    hw: str
    bill: Bill
    layer: LayerBill


def _part_of_layer(part: str, line: Line) -> float | None:
    return line.layer.parts_pj.get(part)


def _part_of_bill(part: str, line: Priced) -> float:
    return line.bill.part_pj(part)


#: Columns of `lemaire.csv`; energies are empty outside of the model.
COLUMNS: tuple[Column[Line], ...] = (
    *attributes("", "hw"),
    Column("accounting", lambda line: line.bill.variant.name),
    *attributes("bill.counts", "variant", "phase"),
    Column("layer", lambda line: line.layer.count.name),
    *attributes("layer.count", "kind"),
    *attributes("layer.count.label", "block", "component"),
    *(Column(f"{part}_pj", partial(_part_of_layer, part)) for part in PARTS),
    Column("total_pj", lambda line: None if line.layer.outside else line.layer.total_pj),
    *attributes("layer", "outside"),
    *attributes("bill.counts", "model", "weights"),
)

#: Columns on the terminal.
TOTALS: tuple[Column[Priced], ...] = (
    Column("hw", lambda line: line.hw, "hardware", words=True, key=True),
    Column("variant", lambda line: line.bill.counts.variant, "variant", words=True, key=True),
    Column("phase", lambda line: line.bill.counts.phase, "phase", words=True),
    *(
        Column(f"{part}_pj", partial(_part_of_bill, part), part.replace("_", " and "), energy)
        for part in PARTS
    ),
    Column("total_pj", lambda line: line.bill.energy_pj(), "total", energy),
)

Bills = Sequence[tuple[str, Bill]]


def lemaire_table(bills: Bills) -> Table[Line]:
    """`lemaire.csv`: one row per hardware and row of the run."""
    return Table(COLUMNS, [Line(hw, bill, layer) for hw, bill in bills for layer in bill.layers])


def print_lemaire(bills: Bills, console: Console) -> None:
    """Print a line per hardware, variant and phase, what is outside, and what is assumed."""
    title = f"Accounting {bills[0][1].variant.name}"
    print_table(Table(TOTALS, [Priced(*pair) for pair in bills], title), console)
    outside = Counter(reason for _, bill in bills for reason in bill.outside.values())
    for reason, rows in outside.items():
        console.print(f"[yellow]{rows} rows are outside of the model: {escape(reason)}.[/yellow]")
    for assumption in ASSUMPTIONS:
        console.print(f"[dim]- {escape(assumption)}[/dim]")


def write_lemaire(bills: Bills, path: Path) -> Path:
    """Write `lemaire.csv`.

    Raises:
        OutputError: If the file cannot be written.
    """
    return write_text(path, lemaire_table(bills).to_csv())
