"""A run under the accounting of Lemaire et al., on the terminal and as a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from energy.literature.lemaire import PARTS
from energy.literature.lemaire_bill import ASSUMPTIONS, Bill, LayerBill
from energy.table import Column, Table, at, attributes
from energy.words import energy
from hwmodels.plain import several
from reports.kit.files import write_text
from reports.kit.table import print_sentence, print_table


class Line(NamedTuple):
    """A row of a run on one piece of hardware, or all of them."""

    hw: str
    bill: Bill
    layer: LayerBill | None


def _part_pj(part: str, line: Line) -> float | None:
    return line.layer.parts_pj.get(part) if line.layer else line.bill.part_pj(part)


def _total_pj(line: Line) -> float | None:
    if line.layer is None:
        return line.bill.energy_pj()
    return None if line.layer.outside else line.layer.total_pj


#: Columns of `lemaire.csv`, whose energies are empty outside of the model, and of the totals.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("hw"), "hardware", words=True, key=True),
    Column("accounting", at("bill.variant.name")),
    Column("variant", at("bill.counts.variant"), "variant", words=True, key=True),
    Column("phase", at("bill.counts.phase"), "phase", words=True, key=True),
    Column("layer", at("layer.count.name")),
    *attributes("layer.count", "kind"),
    *attributes("layer.count.label", "block", "component"),
    *(
        Column(f"{part}_pj", partial(_part_pj, part), part.replace("_", " and "), energy)
        for part in PARTS
    ),
    Column("total_pj", _total_pj, "total", energy),
    *attributes("layer", "outside"),
    *attributes("bill.counts", "model", "weights"),
)

Bills = Sequence[tuple[str, Bill]]


def print_lemaire(bills: Bills, console: Console) -> None:
    """Print a line per hardware, variant and phase, what is outside, and what is assumed."""
    totals = [Line(hw, bill, None) for hw, bill in bills]
    print_table(Table(COLUMNS, totals, f"Accounting {bills[0][1].variant.name}"), console)
    outside = Counter(reason for _, bill in bills for reason in bill.outside.values())
    for reason, rows in outside.items():
        said = f"Outside of the model: {several(rows, 'row')}, {reason}."
        print_sentence(said, console, "yellow")
    for assumption in ASSUMPTIONS:
        print_sentence(f"- {assumption}", console, "dim")


def lemaire_table(bills: Bills) -> Table[Line]:
    """`lemaire.csv`: one line per hardware and row of the run."""
    return Table(COLUMNS, [Line(hw, bill, layer) for hw, bill in bills for layer in bill.layers])


def write_lemaire(bills: Bills, path: Path) -> Path:
    """Write `lemaire_table`."""
    return write_text(path, lemaire_table(bills).to_csv())
