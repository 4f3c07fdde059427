"""What a count of one model says on the terminal: a table by part, and last the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from energy import Estimate
from energy.bill.layer import ACCOUNTINGS
from energy.table import Column, Table
from energy.words import energy, integer, percent, unit_of
from hwmodels import Op
from reports.count.parts import PartLine, count_ranges, part_lines, range_in_words
from reports.count.run import CountRun, part_pj
from reports.kit.parts import BOUNDS, block_name
from reports.kit.ran import print_ran
from reports.kit.table import print_sentence, print_table
from reports.kit.widths import print_widths
from reports.views.terminal import (
    print_assumptions,
    print_not_counted,
    print_unpriced,
    print_written,
)


def _energy(accounting: str) -> Column[PartLine]:
    return Column(f"{accounting}_pj", lambda x: energy(x.pj(accounting)), accounting)


def _moved(bound: str) -> Column[PartLine]:
    return Column(f"{bound}_bytes", lambda x: x.moved(bound), f"bytes {bound}", _whole)


def _share(bound: str) -> Column[PartLine]:
    return Column(f"{bound}_share", lambda x: x.share(bound), f"share {bound}", percent)


def _whole(number: float) -> str:
    return f"{number:,.0f}"


_COLUMNS: tuple[Column[PartLine], ...] = (
    Column(
        "part",
        lambda x: block_name(x.block) if x.component is None else f"  {x.component}",
        "part",
        words=True,
        key=True,
    ),
    Column("macs", lambda x: x.amounts[0], "MACs", integer),
    Column("other", lambda x: x.amounts[1], "other operations", integer),
    *map(_moved, BOUNDS),
    *map(_energy, ACCOUNTINGS),
    *map(_share, BOUNDS),
)


def print_count(
    run: CountRun, console: Console, *, details: bool = False, written: Sequence[Path] = ()
) -> None:
    """Print what each part costs, what nobody counted or named, and last the energy.

    With `details` also each component, what has no price, and what is assumed.
    """
    console.print()
    print_sentence(run.title, console, "bold")
    print_sentence(run.subtitle, console)
    for sentence in filter(None, (parameters_sentence(run), *run.said)):
        print_sentence(sentence, console)
    for bill in run.estimates.values():
        console.print()
        print_table(part_table(bill, details), console)
        print_widths(run.settings, bill.profile.name, console)
        if details:
            print_assumptions(bill, console)
    console.print()
    if details:
        print_not_counted(run.counts.uncounted, console)
    if (counts := run.counts).zeros_measured:
        zeros = sum(layer.tally.zero_macs or 0 for layer in counts.layers)
        share = percent(zeros / counts.dense_macs if counts.dense_macs else None)
        print_sentence(
            f"MACs with a zero activation in dense layers: {zeros:,} ({share} of all).", console
        )
    _print_unnamed(run, console)
    print_ran(run.settings, run.versions, console)
    for bill in run.estimates.values():
        print_unpriced(bill, console)
        print_sentence(_verdict(bill), console, "bold")
        print_ranges(bill, console)
    print_written(written, console, "" if details else "--details prints all parts")


def parameters_sentence(run: CountRun) -> str:
    """How many parameters the model has, and uses for a token; empty where nobody counted them."""
    known = run.settings.get("parameters")
    if not isinstance(known, Mapping):
        return ""
    total, active, looked_up = (int(known[name]) for name in ("total", "active", "looked_up"))
    if active == total:
        return f"{total:,} parameters."
    table = f", {active - looked_up:,} without the table of tokens" if looked_up else ""
    return f"{total:,} parameters, of which a token uses {active:,}{table}."


def part_table(bill: Estimate, components: bool) -> Table[PartLine]:
    """Each block, and the model: what was counted in it, and what it costs."""
    return Table(
        _COLUMNS,
        part_lines(bill, components=components),
        bill.profile.title,
        group=lambda row: row.block if components else "",
        strong=lambda row: row.block is None or (components and row.component is None),
    )


def _verdict(bill: Estimate) -> str:
    counts, hw = bill.counts, bill.profile.name
    totals = {bound: part_pj(bill, bound) for bound in BOUNDS}
    unit = unit_of(counts.phase)
    events = sum(map(counts.total, (Op.AC, Op.SHIFT_AC))) / counts.tokens
    if None in totals.values():
        which = "MACs or accumulates have" if events else "MACs have"
        return f"Per {unit} on {hw}: unpriced, since its {which} no price."
    macs = counts.total(Op.MAC) / counts.tokens
    ends = ", ".join(f"{energy((pj or 0) / counts.tokens)} {x}" for x, pj in totals.items())
    accumulates = f", {events:,.0f} accumulates" if events else ""
    return f"Per {unit} on {hw}: {ends} ({macs:,.0f} MACs{accumulates})."


def print_ranges(bill: Estimate, console: Console) -> None:
    """Print how far the constants may move the energy, at both bounds; nothing if unpriced."""
    found = count_ranges(bill)
    if found:
        each = ", ".join(range_in_words(bound, one, bill.counts) for bound, one in found.items())
        print_sentence(
            f"If constants are off as far as sources differ (5 to 95 %): {each}.", console
        )
    for bound, one in found.items():
        if one.leans:
            print_sentence(f"{bound}: {one.leans}.", console)


def _print_unnamed(run: CountRun, console: Console) -> None:
    if not run.unnamed:
        return
    layers = sum(group.layers for group in run.unnamed)
    macs = run.counts.total(Op.MAC)
    share = percent(sum(group.macs for group in run.unnamed) / macs if macs else None)
    listed = ", ".join(f"{group.pattern} x {group.layers}" for group in run.unnamed)
    print_sentence(
        f"Counted, but of no known part of the model: {layers} of {len(run.counts.layers)} "
        f"layers, with {share} of the MACs, under 'other': {listed}.",
        console,
    )
