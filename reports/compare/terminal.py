"""Runs side by side on the terminal."""

from __future__ import annotations

from rich.console import Console

from reports.compare.row import Rows
from reports.compare.table import terminal_table
from reports.kit.table import print_table


def print_comparison(rows: Rows, console: Console) -> None:
    """Print one row per run and hardware, under what is the same in all of them."""
    console.print()
    print_table(terminal_table(rows), console)
