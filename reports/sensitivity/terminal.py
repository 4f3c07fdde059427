"""How far the savings of a run can be trusted, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy.compare.ranges import Origin
from energy.compare.sensitivity import Sensitivity
from reports.sensitivity.study import INDEPENDENT, SHOWN, Study, part_name, range_text, value_text


def print_sensitivity(study: Study, console: Console, block: str | None = "attention") -> None:
    """Print each saving with its interval, and what moves that of one block."""
    console.print()
    console.print(_intervals(study))
    for accounting, found in study.of(block).items():
        console.print(_swings(found, f"{part_name(block)}, {accounting}: what moves the saving"))
    _print_ranges(study, console)


def _intervals(study: Study) -> Table:
    profile, samples = study.asa.profile, f"{study.samples:,} samples, seed {study.seed}"
    title = f"{study.title}, {study.ssa.dataflow}\n{profile.title}; {samples}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("part")
    table.add_column("accounting")
    for heading in ("saving", "median", "5%", "95%", "spiking is cheaper in"):
        table.add_column(heading, justify="right")
    table.add_column("without a price")
    for (block, accounting), found in study.found.items():
        spread, nominal = found.interval, found.nominal
        cells = ["-"] * 5
        if spread is not None and nominal.saving is not None:
            savings = (nominal.saving, spread.median, spread.low, spread.high)
            cells = [*(f"{saving:.2%}" for saving in savings), f"{spread.cheaper:.1%}"]
        unpriced = " ".join(op.value for op in nominal.unpriced)
        table.add_row(part_name(block), accounting, *cells, unpriced)
    return table


def _swings(found: Sensitivity, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("constant")
    for heading in ("value", "range", "at low", "at high", "span"):
        table.add_column(heading, justify="right")
    for heading in ("evidence", "range from"):
        table.add_column(heading)
    for swing in [swing for swing in found.swings if swing.span][:SHOWN]:
        constant = swing.constant
        table.add_row(
            escape(constant.name),
            f"{value_text(constant)} {constant.unit}",
            range_text(constant),
            f"{swing.at_low:.2%}",
            f"{swing.at_high:.2%}",
            f"{swing.span:.2%}",
            constant.evidence.value,
            constant.origin.value,
        )
    return table


def _print_ranges(study: Study, console: Console) -> None:
    used = {swing.constant.origin for found in study.found.values() for swing in found.swings}
    for origin in (origin for origin in Origin if origin in used):
        console.print(f"[dim]Range '{origin.value}': {origin.definition}.[/dim]")
    if used:
        console.print(f"[dim]Intervals: {INDEPENDENT}.[/dim]")
