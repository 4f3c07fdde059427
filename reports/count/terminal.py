"""What a count of one model says on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy import Counts, Estimate
from hwmodels import Op
from reports.count.run import CountRun, part_pj
from reports.kit.caveats import NOT_MODELLED
from reports.kit.parts import present
from reports.views.terminal import millijoule, percent


def print_count(run: CountRun, console: Console) -> None:
    """Print a table for each hardware, what has no price, and what nobody counted or named."""
    for bill in run.estimates.values():
        console.print()
        console.print(_table(run, bill))
        _print_bill(bill, console)
    _print_unnamed(run, console)
    counts = run.counts
    if counts.zeros_measured:
        zeros = sum(layer.tally.zero_macs or 0 for layer in counts.layers)
        share = percent(zeros / counts.dense_macs if counts.dense_macs else None)
        console.print(f"MACs with a zero activation in dense layers: {zeros:,} ({share} of all).")
    if counts.uncounted:
        listed = ", ".join(f"{name} x {n}" for name, n in sorted(counts.uncounted.items()))
        console.print(f"[dim]Uncounted element-wise operations (calls): {listed}.[/dim]")
    console.print(f"[dim]Not modelled: {'; '.join(NOT_MODELLED)}.[/dim]")


def _table(run: CountRun, bill: Estimate) -> Table:
    title = escape(f"{run.title}\n{run.subtitle}, {bill.profile.title}")
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    for heading in ("MACs", "other operations", "bytes moved", "compute (mJ)", "all (mJ)", "share"):
        table.add_column(heading, justify="right")
    for block, components in present(bill.counts).items():
        for component in components:
            _add_row(table, bill, f"  {component}", block, component)
        if len(components) > 1:
            _add_row(table, bill, f"{block} block", block, None, style="bold")
        table.add_section()
    _add_row(table, bill, "model", None, None, style="bold")
    return table


def _add_row(
    table: Table,
    bill: Estimate,
    name: str,
    block: str | None,
    component: str | None,
    style: str = "",
) -> None:
    compute, full = (part_pj(bill, how, block, component) for how in ("compute", "full"))
    whole = part_pj(bill, "full")
    table.add_row(
        escape(name),
        *(f"{n:,}" for n in amounts(bill.counts.only(block=block, component=component))),
        millijoule(compute),
        millijoule(full),
        percent(full / whole if full is not None and whole else None),
        style=style,
    )


def amounts(counts: Counts) -> tuple[float, float, float]:
    """MACs, other operations, and bytes moved."""
    moved = [op for op in Op if op.group == "memory"]
    other = [op for op in Op if op is not Op.MAC and op not in moved]
    return counts.total(Op.MAC), counts.total(*other), counts.total(*moved)


def _print_bill(bill: Estimate, console: Console) -> None:
    total, counts = part_pj(bill, "full"), bill.counts
    hw = escape(bill.profile.name)
    if total is None:
        console.print(f"Per token on {hw}: unpriced, since its MACs have no price.")
    else:
        console.print(
            f"Per token on {hw}: [bold]{millijoule(total / counts.tokens)} mJ[/bold] "
            f"({counts.total(Op.MAC) / counts.tokens:,.0f} MACs)."
        )
    if bill.unpriced:
        listed = ", ".join(f"{op.value} x {n:,}" for op, n in bill.unpriced.items())
        console.print(
            f"[yellow]Without a price on {hw}, so not in the sums: {listed} "
            f"({percent(bill.coverage)} of the operations have one).[/yellow]"
        )
    if bill.static_pj is None:
        console.print("[dim]Static energy: unpriced, no latency or power.[/dim]")
    for assumption in bill.profile.assumptions:
        console.print(f"[dim]- {escape(assumption)}[/dim]")


def _print_unnamed(run: CountRun, console: Console) -> None:
    if not run.unnamed:
        return
    layers = sum(group.layers for group in run.unnamed)
    macs = run.counts.total(Op.MAC)
    share = percent(sum(group.macs for group in run.unnamed) / macs if macs else None)
    listed = ", ".join(f"{group.pattern} x {group.layers}" for group in run.unnamed)
    console.print(
        escape(
            f"Counted, but of no known part of the model: {layers} of {len(run.counts.layers)} "
            f"layers, with {share} of the MACs, under 'other': {listed}."
        )
    )
