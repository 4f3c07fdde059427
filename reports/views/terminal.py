"""What a run says on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy import Estimate, Saving, saving
from energy.bill.estimate import ACCOUNTINGS
from energy.compare.sensitivity import interval
from hwmodels import Op
from reports.kit.caveats import NOT_MODELLED, PUBLISHED_SAVING
from reports.kit.parts import present
from reports.run.run import Run


def millijoule(pj: float | None) -> str:
    """Picojoules as millijoules with four significant digits, or `unpriced`."""
    return "unpriced" if pj is None else f"{pj / 1e9:.4g}"


def _with_unit(pj: float | None) -> str:
    return millijoule(pj) + ("" if pj is None else " mJ")


def percent(share: float | None) -> str:
    """A share as a signed percentage; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.2f} %"


def print_run(run: Run, console: Console) -> None:
    """Print the tables of each hardware, the published range beside ours, and what is missing."""
    for asa, ssa in run.estimates.values():
        console.print()
        console.print(_table(run, asa, ssa))
        _print_verdict(asa, ssa, console)
        _print_missing(asa, ssa, console)
        _print_assumptions(ssa, console)
    uncounted = {**run.asa.uncounted, **run.ssa.uncounted}
    if uncounted:
        listed = ", ".join(f"{name} x {n}" for name, n in sorted(uncounted.items()))
        console.print(f"[dim]Uncounted element-wise operations: {listed}.[/dim]")
    console.print(f"[dim]Not modelled: {'; '.join(NOT_MODELLED)}.[/dim]")


def _table(run: Run, asa: Estimate, ssa: Estimate) -> Table:
    title = escape(f"{run.title}\n{run.subtitle}, {asa.profile.title}")
    table = Table(title=title, title_justify="left")
    table.add_column("part")
    for heading in (
        "ASA compute (mJ)",
        "SSA compute (mJ)",
        "saving",
        "ASA all (mJ)",
        "SSA all (mJ)",
        "saving",
        "events/MAC",
    ):
        table.add_column(heading, justify="right")
    blocks = present(asa.counts, ssa.counts)
    for block, components in blocks.items():
        for component in components:
            _add_row(table, asa, ssa, f"  {component}", block, component)
        if len(components) > 1:
            _add_row(table, asa, ssa, f"{block} block", block, None, style="bold")
        table.add_section()
    _add_row(table, asa, ssa, "model", None, None, style="bold")
    return table


def _add_row(
    table: Table,
    asa: Estimate,
    ssa: Estimate,
    name: str,
    block: str | None,
    component: str | None,
    style: str = "",
) -> None:
    compute, full = (
        saving(asa, ssa, accounting, block=block, component=component)
        for accounting in ("compute", "full")
    )
    events = ssa.counts.only(block=block, component=component).events_per_mac
    table.add_row(
        escape(name),
        *_cells(compute),
        *_cells(full),
        "-" if events is None else f"{events:.3f}",
        style=style,
    )


def _cells(part: Saving) -> tuple[str, str, str]:
    return millijoule(part.asa_pj), millijoule(part.ssa_pj), percent(part.saving)


def _print_verdict(asa: Estimate, ssa: Estimate, console: Console) -> None:
    ours = saving(asa, ssa, "compute", block="attention").saving
    low, high = PUBLISHED_SAVING
    if ours is None:
        console.print("Attention block: no saving, since a side has MACs or ACs without a price.")
    else:
        console.print(
            f"Attention block, compute only: [bold]{percent(ours)}[/bold] saved (published, for "
            f"other weights and undisclosed settings: {100 * low:.2f}-{100 * high:.2f} %)."
        )
    for accounting in ACCOUNTINGS:
        if (found := interval(asa, ssa, accounting, "attention")) is not None:
            console.print(
                f"[dim]Attention block, {accounting}: between {percent(found.low)} and "
                f"{percent(found.high)} if the prices are off as far as their evidence allows "
                f"(5-95 % of {found.samples:,} samples, seed {found.seed}).[/dim]"
            )
    if asa.counts.weights.startswith("random"):
        weights = escape(asa.counts.weights)
        console.print(
            f"[yellow]Weights are {weights}: dense counts are those of any weights, spike rates "
            "and savings are not.[/yellow]"
        )


def _print_missing(asa: Estimate, ssa: Estimate, console: Console) -> None:
    for side in (asa, ssa):
        if side.unpriced:
            listed = ", ".join(f"{op.value} x {n:,}" for op, n in side.unpriced.items())
            hw = escape(side.profile.name)
            console.print(
                f"[dim]{side.counts.variant.upper()} without a price on {hw}: {listed} "
                f"({percent(side.coverage)} of the operations have one).[/dim]"
            )


def _print_assumptions(bill: Estimate, console: Console) -> None:
    static = "" if bill.static_pj is not None else " Static energy: unpriced, no latency or power."
    console.print(f"[dim]Dataflow {bill.dataflow}: {bill.dataflow.definition}.{static}[/dim]")
    for assumption in bill.profile.assumptions:
        console.print(f"[dim]- {escape(assumption)}[/dim]")


def print_bill(bill: Estimate, console: Console) -> None:
    """Print the total of a priced table of counts."""
    name = escape(f"{bill.counts.variant or 'counts'} on {bill.profile.name}")
    total, compute = (
        None if bill.lacks_compute else bill.energy_pj(accounting)
        for accounting in ("full", "compute")
    )
    console.print(
        f"{name}: [bold]{_with_unit(total)}[/bold], of which compute {_with_unit(compute)} "
        f"({bill.counts.total(Op.MAC):,} MACs, {bill.counts.total(Op.AC, Op.SHIFT_AC):,} ACs)"
    )
    if bill.unpriced:
        listed = ", ".join(f"{op.value} x {n:,}" for op, n in bill.unpriced.items())
        console.print(f"[yellow]without a price: {listed}[/yellow]")
