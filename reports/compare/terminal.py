"""What a comparison says on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.compare.comparison import Comparison
from reports.kit.parts import SHOWN


def print_comparison(found: Comparison, console: Console) -> None:
    """Print one row per run and hardware, under what is the same in all of them."""
    _, lines = found.cells()
    described = 1 + len(found.rows[0].about) - len(found.same)
    table = Table(title=escape(found.same_text), title_justify="left", show_lines=True)
    table.add_column("run")
    for heading, _, _ in SHOWN:
        table.add_column(f"{heading}\n[dim]5 to 95 %[/dim]", justify="right")
    for side in ("analog", "spiking"):
        table.add_column(f"{side}\nµJ/token", justify="right")
    for row, line in zip(found.rows, lines, strict=True):
        saved = line[described:-2]
        savings = (f"{saved[i]}\n[dim]{saved[i + 1]}[/dim]" for i in range(0, len(saved), 2))
        about = f"{escape(row.name)}\n[dim]{escape(found.differing(row))}[/dim]"
        table.add_row(about, *savings, *line[-2:])
    console.print()
    console.print(table)
