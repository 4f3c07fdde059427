"""A run under the accounting of Lemaire et al., on the terminal and as a file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy.literature.lemaire import PARTS
from energy.literature.lemaire_bill import ASSUMPTIONS, Bill
from reports.kit.files import write_text

#: Columns of `lemaire.csv`, in order; frozen by a test.
LEMAIRE_COLUMNS = (
    "hw",
    "accounting",
    "variant",
    "phase",
    "layer",
    "kind",
    "block",
    "component",
    *(f"{part}_pj" for part in PARTS),
    "total_pj",
    "outside",
    "model",
    "weights",
)

Bills = Sequence[tuple[str, Bill]]


def print_lemaire(bills: Bills, console: Console) -> None:
    """Print a line per hardware, variant and phase, what is outside, and what is assumed."""
    table = Table(title=f"Accounting {bills[0][1].variant.name}, mJ", title_justify="left")
    for heading in ("hardware", "variant", "phase"):
        table.add_column(heading)
    for part in (*PARTS, "total"):
        table.add_column(part.replace("_", " and "), justify="right")
    for hw, bill in bills:
        values = [*(bill.part_pj(part) for part in PARTS), bill.energy_pj()]
        names = (hw, bill.counts.variant, bill.counts.phase)
        table.add_row(*map(escape, names), *(f"{pj / 1e9:.4g}" for pj in values))
    console.print(table)
    outside = Counter(reason for _, bill in bills for reason in bill.outside.values())
    for reason, rows in outside.items():
        console.print(f"[yellow]{rows} rows are outside of the model: {escape(reason)}.[/yellow]")
    for assumption in ASSUMPTIONS:
        console.print(f"[dim]- {escape(assumption)}[/dim]")


def write_lemaire(bills: Bills, path: Path) -> Path:
    """Write one line per hardware and row of the run.

    Raises:
        OutputError: If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, LEMAIRE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for hw, bill in bills:
        counts = bill.counts
        about = {"phase": counts.phase, "model": counts.model, "weights": counts.weights}
        writer.writerows({"hw": hw, **about, **row} for row in bill.rows())
    return write_text(path, text.getvalue())
