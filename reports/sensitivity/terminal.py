"""How far the savings of a run can be trusted, on the terminal."""

from __future__ import annotations

from rich.console import Console

from energy.compare.ranges import Origin
from reports.kit.table import print_sentence, print_table
from reports.sensitivity.study import INDEPENDENT, Study
from reports.sensitivity.table import intervals_table, swings_table


def print_sensitivity(study: Study, console: Console, block: str | None = "attention") -> None:
    """Print each saving with its interval, and what moves that of one block."""
    console.print()
    print_table(intervals_table(study), console)
    for accounting in study.of(block):
        console.print()
        print_table(swings_table(study, block, accounting), console)
    used = {swing.constant.origin for x in study.results.values() for swing in x.swings}
    for origin in (origin for origin in Origin if origin in used):
        print_sentence(f"Range '{origin.value}': {origin.definition}.", console, "dim")
    if used:
        print_sentence(f"Intervals: {INDEPENDENT}.", console, "dim")
