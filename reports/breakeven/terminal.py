"""Break-evens on the terminal, with what has no price and the thresholds of the literature."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from energy.compare.thresholds import THRESHOLDS, compute_only_needs, compute_only_rate
from hwmodels import HardwareProfile, Op
from reports.breakeven.case import Case, answer, reuse_text, short_name
from reports.breakeven.table import case_table
from reports.kit.caveats import are_random
from reports.kit.table import print_sentence, print_table

NOTES = (
    "A layer is billed with the coder that feeds it (updates, states and spikes of its neurons); a "
    "product whose neurons feed others too, without; blocks and model with everything in them.",
    "rate: spikes per slot and time step, each slot weighted by its fan-out; events/MAC: "
    "accumulates per multiply-accumulate that they replace; spikes/synapse: per token, T x rate.",
    "compute: MACs and ACs alone; fused and unfused: everything that has a price, at both bounds "
    "of what moves between products.",
)


def print_breakeven(cases: Sequence[Case], console: Console) -> None:
    """Print a table of each case, what has no price, and the thresholds of the literature."""
    for case in cases:
        console.print()
        print_table(case_table(case), console)
        print_sentence(f"{answer(case)}.", console)
        _print_gaps(case, console)
        if reuse := reuse_text(case):
            print_sentence(reuse, console)
    told = {
        (case.asa.profile.name, case.ssa.counts.timesteps, op): case.asa.profile
        for case in cases
        for op in _events_of(case)
    }
    for (_, timesteps, op), profile in told.items():
        _print_arithmetic(profile, timesteps, op, console)
    console.print("\nThe literature, in spikes per synapse per inference:")
    for threshold in THRESHOLDS:
        ends = dict.fromkeys(f"{end:.3g}" for end in (threshold.low, threshold.high))
        about = f"({threshold.evidence}; {threshold.note})"
        print_sentence(f"- {threshold.name}: {' to '.join(ends)} {about}", console)
    for note in NOTES:
        print_sentence(note, console, "dim")


def _print_gaps(case: Case, console: Console) -> None:
    name = case.asa.profile.name
    gaps: dict[tuple[str, ...], list[str]] = {}
    for line in case.breakevens:
        if line.unpriced:
            gaps.setdefault(line.unpriced, []).append(f"{short_name(line)} ({line.accounting})")
    for missing, parts in gaps.items():
        print_sentence(
            f"Without a price on {name}, so no break-even, at best a bound: {', '.join(missing)}; "
            f"in {_some(parts)}.",
            console,
            "yellow",
        )
    cancelled = dict.fromkeys(op for line in case.breakevens for op in line.cancelled)
    if cancelled:
        print_sentence(
            f"Without a price on {name}, but in equal numbers on both sides of a part, so the "
            f"break-even holds at any price: {', '.join(cancelled)}.",
            console,
            "dim",
        )
    if case.asa.static_pj is None and case.ssa.static_pj is None:
        print_sentence(f"Static energy is unknown on {name} and in no sum.", console, "dim")
    if case.measured and are_random(case.ssa.counts.weights):
        print_sentence(
            f"Weights are {case.ssa.counts.weights}: the break-evens are those of any weights, the "
            "measured rates are not.",
            console,
            "yellow",
        )


def _some(parts: Sequence[str]) -> str:
    return ", ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")


def _events_of(case: Case) -> list[Op]:
    """The operations by which events are added in a case: those of its codes."""
    rows = case.ssa.counts.layers
    return [op for op in (Op.AC, Op.SHIFT_AC) if any(row.tally.ops.get(op) for row in rows)]


def _print_arithmetic(
    profile: HardwareProfile, timesteps: int, event: Op, console: Console
) -> None:
    """What Yan et al. conclude from the prices of a MAC and of an event alone."""
    mac, ac = (profile.energy_pj(op) for op in (Op.MAC, event))
    if mac is None or not ac:
        return
    k = mac / ac
    needs = ", ".join(
        f"{case} case k >= {least:g} {'holds' if k >= least else 'fails'}"
        for case, least in compute_only_needs(timesteps).items()
    )
    name = "AC" if event is Op.AC else event.value
    console.print()
    print_sentence(
        f"Arithmetic alone on {profile.name} (k = MAC / {name} = {k:.3g}, T = {timesteps}): break-"
        f"even rate k / T = {compute_only_rate(k, timesteps):.3g}; after Yan et al. 2024, against "
        f"a dense twin: {needs}.",
        console,
    )
