"""What a count of one model says on the terminal: a table by part, and last the bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from energy import Counts, Estimate
from energy.table import Column, Table
from energy.words import energy, integer, percent
from hwmodels import Op
from reports.count.run import CountRun, part_pj
from reports.kit.parts import block_name, scopes
from reports.kit.table import print_sentence, print_table
from reports.kit.widths import print_widths
from reports.views.terminal import (
    print_assumptions,
    print_not_counted,
    print_unpriced,
    print_written,
)


@dataclass(frozen=True)
class PartLine:
    """One part of a model on one hardware; block and component are None for all."""

    bill: Estimate
    block: str | None
    component: str | None

    @cached_property
    def amounts(self) -> tuple[float, float, float]:
        """See `amounts`."""
        return amounts(self.bill.counts.only(block=self.block, component=self.component))

    def pj(self, accounting: str) -> float | None:
        """Its energy; None where it has no price."""
        return part_pj(self.bill, accounting, self.block, self.component)

    @property
    def share(self) -> float | None:
        """Of the energy of the model; None where either is unknown."""
        part, whole = self.pj("full"), part_pj(self.bill, "full")
        return part / whole if part is not None and whole else None


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
    Column("bytes", lambda x: x.amounts[2], "bytes moved", integer),
    Column("compute_pj", lambda x: energy(x.pj("compute")), "compute"),
    Column("energy_pj", lambda x: energy(x.pj("full")), "all"),
    Column("share", lambda x: x.share, "share", percent),
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
    for bill in run.estimates.values():
        print_unpriced(bill, console)
        print_sentence(_verdict(bill), console, "bold")
    print_written(written, console, "" if details else "--details prints all parts")


def part_table(bill: Estimate, components: bool) -> Table[PartLine]:
    """Each block, and the model: what was counted in it, and what it costs."""
    return Table(
        _COLUMNS,
        [PartLine(bill, *scope) for scope in scopes(bill.counts, components=components)],
        bill.profile.title,
        group=lambda row: row.block if components else "",
        strong=lambda row: row.block is None or (components and row.component is None),
    )


def amounts(counts: Counts) -> tuple[float, float, float]:
    """MACs, other operations, and bytes moved."""
    moved = [op for op in Op if op.group == "memory"]
    other = [op for op in Op if op is not Op.MAC and op not in moved]
    return counts.total(Op.MAC), counts.total(*other), counts.total(*moved)


def _verdict(bill: Estimate) -> str:
    total, counts, hw = part_pj(bill, "full"), bill.counts, bill.profile.name
    if total is None:
        return f"Per token on {hw}: unpriced, since its MACs have no price."
    macs = counts.total(Op.MAC) / counts.tokens
    return f"Per token on {hw}: {energy(total / counts.tokens)} ({macs:,.0f} MACs)."


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
