"""What `breakeven` says on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy.bill.estimate import ACCOUNTINGS
from energy.compare.breakeven import Bound, BreakEven, Verdict
from energy.compare.thresholds import THRESHOLDS, compute_only_needs, compute_only_rate
from hwmodels import HardwareProfile, Op
from reports.breakeven.case import Case, margin, mark

NOTES = (
    "A layer is billed with the coder that feeds it (updates, states and spikes of its neurons); a "
    "product whose neurons feed others too, without; blocks and model with everything in them.",
    "rate: spikes per slot and time step, each slot weighted by its fan-out; events/MAC: "
    "accumulates per multiply-accumulate that they replace; spikes/synapse: per token, T x rate.",
    "compute: MACs and ACs alone; full: everything that has a price.",
)


_SIGNS: dict[Bound | None, str] = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥"}


def print_breakeven(cases: Sequence[Case], console: Console) -> None:
    """Print a table of each case, what has no price, and the thresholds of the literature."""
    for case in cases:
        console.print()
        console.print(_measured(case) if case.measured else _closed_form(case))
        _print_gaps(case, console)
    for profile in {case.asa.profile.name: case.asa.profile for case in cases}.values():
        _print_arithmetic(profile, sorted({case.ssa.counts.timesteps for case in cases}), console)
    console.print("\nThe literature, in spikes per synapse per inference:")
    for threshold in THRESHOLDS:
        ends = dict.fromkeys(f"{end:.3g}" for end in (threshold.low, threshold.high))
        console.print(
            f"  {threshold.name}: {' to '.join(ends)} ({threshold.evidence}; {threshold.note})",
            markup=False,
        )
    for note in NOTES:
        console.print(note, style="dim", markup=False)


def _new_table(case: Case) -> Table:
    counts, profile = case.ssa.counts, case.asa.profile
    title = (
        f"{case.title}, T = {counts.timesteps}, {counts.phase}, {counts.tokens:,} tokens\n"
        f"{profile.title}, dataflow {case.asa.dataflow}"
    )
    table = Table(title=escape(title), title_justify="left")
    table.add_column("part", no_wrap=True)
    return table


def _closed_form(case: Case) -> Table:
    table = _new_table(case)
    table.add_column("which is")
    for accounting in ACCOUNTINGS:
        table.add_column(f"{accounting}: rate", justify="right")
        table.add_column("events/MAC", justify="right")
        table.add_column("spikes/synapse", justify="right")
    for both in case.by_part():
        part = next(iter(both.values())).part
        cells = [cell for one in both.values() for cell in _line(one)]
        table.add_row(escape(part.name), escape(part.includes), *cells)
    return table


def _line(one: BreakEven) -> tuple[str, str, str]:
    said = _rate(one)
    if one.verdict in (Verdict.UNPRICED, Verdict.NEVER, Verdict.SILENT):
        return said, "-", "-"
    return said, _number(one.events_per_mac), _number(one.spikes_per_synapse)


def _measured(case: Case) -> Table:
    table = _new_table(case)
    for heading in ("rate", "events/MAC", "spikes/synapse"):
        table.add_column(heading, justify="right")
    for accounting in ACCOUNTINGS:
        table.add_column(f"{accounting}: break-even", justify="right")
        table.add_column("events are", justify="right")
        table.add_column("margin", justify="right")
    kind = None
    for both in case.by_part():
        first = next(iter(both.values()))
        if kind is not None and (first.part.kind in ("block", "model")) != kind:
            table.add_section()
        kind = first.part.kind in ("block", "model")
        cells = [
            cell
            for one in both.values()
            for cell in (_rate(one), mark(one) or "-", _margin(margin(one)))
        ]
        table.add_row(
            escape(_short(first)),
            _number(first.busy_rate),
            _number(first.busy_events_per_mac),
            _number(first.timesteps * first.busy_rate),
            *cells,
            style="bold" if kind else "",
        )
    return table


def _rate(one: BreakEven) -> str:
    """The break-even rate, or why there is none."""
    if one.verdict is Verdict.NEVER:
        return "never"
    if one.verdict is Verdict.ALWAYS:
        return "always" if one.rate is None else f"always ({one.rate:.3f})"
    if one.bound in _SIGNS and one.priced_rate is not None:
        return f"{_SIGNS[one.bound]} {one.priced_rate:.3f}"
    return _number(one.rate) if one.verdict is Verdict.BELOW else one.verdict.value


def _short(one: BreakEven) -> str:
    return one.part.name.removeprefix("transformer.")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _margin(value: float | None) -> str:
    if value is None:
        return "-"
    return f"x {value + 1:,.2f}" if value >= 9 else f"{value:+.0%}"


def _print_gaps(case: Case, console: Console) -> None:
    name = escape(case.asa.profile.name)
    gaps: dict[tuple[str, ...], list[str]] = {}
    for one in case.found:
        if one.unpriced:
            gaps.setdefault(one.unpriced, []).append(f"{_short(one)} ({one.accounting})")
    for missing, parts in gaps.items():
        console.print(
            f"[yellow]Without a price on {name}, so no break-even, at best a bound: "
            f"{', '.join(missing)}; in {escape(_some(parts))}.[/yellow]"
        )
    cancelled = dict.fromkeys(op for one in case.found for op in one.cancelled)
    if cancelled:
        console.print(
            f"[dim]Without a price on {name}, but in equal numbers on both sides of a part, so "
            f"the break-even holds at any price: {', '.join(cancelled)}.[/dim]"
        )
    if case.asa.static_pj is None and case.ssa.static_pj is None:
        console.print(f"[dim]Static energy is unknown on {name} and in no sum.[/dim]")
    if case.ssa.counts.weights.startswith("random"):
        console.print(
            f"[yellow]Weights are {escape(case.ssa.counts.weights)}: the break-evens are those of "
            "any weights, the measured rates are not.[/yellow]"
        )


def _some(parts: Sequence[str]) -> str:
    return ", ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")


def _print_arithmetic(profile: HardwareProfile, timesteps: Sequence[int], console: Console) -> None:
    """What Yan et al. conclude from the prices of a MAC and an AC alone."""
    mac, ac = (profile.energy_pj(op) for op in (Op.MAC, Op.AC))
    if mac is None or not ac:
        return
    k = mac / ac
    for steps in timesteps:
        needs = ", ".join(
            f"{case} case k >= {least:g} {'holds' if k >= least else 'fails'}"
            for case, least in compute_only_needs(steps).items()
        )
        console.print(
            f"\nArithmetic alone on {profile.name} (k = MAC / AC = {k:.3g}, T = {steps}): break-"
            f"even rate k / T = {compute_only_rate(k, steps):.3g}; after Yan et al. 2024, against "
            f"a dense twin: {needs}.",
            markup=False,
        )
