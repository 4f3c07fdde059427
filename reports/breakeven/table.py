"""The tables of break-evens and of the literature: on the terminal, and as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from rich.console import Console

from energy.bill.layer import ACCOUNTINGS
from energy.compare.breakeven import BreakEven, Verdict
from energy.compare.thresholds import THRESHOLDS, Threshold, compute_only_needs, compute_only_rate
from energy.table import Column, Table, at, attributes, texts
from energy.words import NONE, change, number
from hwmodels import HardwareProfile, Op
from hwmodels.plain import several
from reports.breakeven.case import (
    SIGNS,
    Case,
    answer,
    margin,
    mark,
    rate_text,
    reuse_text,
    short_name,
)
from reports.kit.caveats import are_random
from reports.kit.table import print_sentence, print_table


class Line(NamedTuple):
    """One part of a case in one accounting."""

    case: Case
    part: BreakEven


def _measured(value: Callable[[BreakEven], Any]) -> Callable[[Line], Any]:
    return lambda line: value(line.part) if line.case.measured else None


def _spikes(part: BreakEven) -> float:
    return part.timesteps * part.busy_rate


def _stands(threshold: Threshold, part: BreakEven) -> str:
    return threshold.stands(_spikes(part))


#: Columns of `breakeven.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("case.asa.profile.name")),
    *attributes("case.asa", "dataflow"),
    Column("origin", lambda line: "run" if line.case.measured else "closed form"),
    Column("part", at("part.part.name")),
    *attributes("part.part", "kind", "includes"),
    *attributes("part", "accounting", "timesteps", "asa_pj", "silent_pj", "busy_pj", "busy_rate"),
    *attributes("part", "rate", "events_per_mac", "spikes_per_synapse", "verdict"),
    *attributes("part", "event_reuse"),
    Column("unpriced", lambda line: " ".join(line.part.unpriced)),
    *attributes("part", "bound"),
    Column(
        "bounded_rate",
        lambda line: line.part.priced_rate if line.part.bound in SIGNS else None,
    ),
    Column("cancelled", lambda line: " ".join(line.part.cancelled)),
    Column("measured_rate", _measured(lambda part: part.busy_rate)),
    Column("measured_events_per_mac", _measured(lambda part: part.busy_events_per_mac)),
    Column("measured_spikes_per_synapse", _measured(_spikes)),
    Column(
        "measured_saving",
        _measured(lambda part: None if part.bound else part.saving(part.busy_rate)),
    ),
    Column("mark", _measured(mark)),
    Column("margin", _measured(margin)),
    *(Column(threshold.key, _measured(partial(_stands, threshold))) for threshold in THRESHOLDS),
    *attributes("case.ssa.counts", "phase", "batch", "tokens", "attention", "model", "weights"),
)

#: Columns of `thresholds.csv`.
THRESHOLD_COLUMNS: tuple[Column[Threshold], ...] = (
    *attributes("", "name", "low", "high"),
    Column("unit", lambda _: "spikes per synapse per inference"),
    *attributes("", "evidence", "source", "note"),
)


def breakeven_table(cases: Sequence[Case]) -> Table[Line]:
    """`breakeven.csv`: one row per part and accounting of each case."""
    return Table(COLUMNS, [Line(case, part) for case in cases for part in case.breakevens])


def thresholds_table() -> Table[Threshold]:
    """`thresholds.csv`: the break-evens of the literature."""
    return Table(THRESHOLD_COLUMNS, THRESHOLDS)


def _both(*headings: str) -> list[str]:
    return [f"{accounting}: {heading}" for accounting in ACCOUNTINGS for heading in headings]


#: Columns for people, of a closed form and of a run.
CLOSED_FORM = texts(
    *("part", "which is", *_both("rate", "events/MAC", "spikes/synapse")), words=("which is",)
)
RUN = texts(
    *("part", "rate", "events/MAC", "spikes/synapse"), *_both("break-even", "events are", "margin")
)


def case_table(case: Case) -> Table[Sequence[Any]]:
    """A case for people: a row per part, the accountings beside each other."""
    counts, profile = case.ssa.counts, case.asa.profile
    tokens = f", {several(counts.tokens, 'token')}" if counts.tokens else ""
    rows = [
        (_run_cells if case.measured else _closed_form_cells)(list(both.values()))
        for both in case.by_part()
    ]
    return Table(
        RUN if case.measured else CLOSED_FORM,
        rows,
        f"{case.title}, T = {counts.timesteps}, {counts.phase}{tokens}\n"
        f"{profile.title}, dataflow {case.asa.dataflow}",
        group=itemgetter(-1),
        strong=itemgetter(-1),
    )


def _closed_form_cells(both: Sequence[BreakEven]) -> Sequence[Any]:
    """The cells of a part, and that it is no sum of others."""
    cells: list[Any] = [both[0].part.name, both[0].part.includes]
    for line in both:
        lost = line.verdict in (Verdict.UNPRICED, Verdict.NEVER, Verdict.SILENT)
        ends = (line.events_per_mac, line.spikes_per_synapse)
        cells += [rate_text(line), *(NONE if lost else number(end) for end in ends)]
    return [*cells, False]


def _run_cells(both: Sequence[BreakEven]) -> Sequence[Any]:
    """The cells of a part, and whether it is a sum of others."""
    first = both[0]
    rates = (first.busy_rate, first.busy_events_per_mac, _spikes(first))
    cells: list[Any] = [short_name(first), *map(number, rates)]
    for line in both:
        cells += [rate_text(line), mark(line) or NONE, _margin_text(margin(line))]
    return [*cells, first.part.kind in ("block", "model")]


def _margin_text(value: float | None) -> str:
    return f"x {value + 1:,.2f}" if value is not None and value >= 9 else change(value, 0)


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
    for profile in {case.asa.profile.name: case.asa.profile for case in cases}.values():
        _print_arithmetic(profile, sorted({case.ssa.counts.timesteps for case in cases}), console)
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
    if are_random(case.ssa.counts.weights):
        print_sentence(
            f"Weights are {case.ssa.counts.weights}: the break-evens are those of any weights, the "
            "measured rates are not.",
            console,
            "yellow",
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
        console.print()
        print_sentence(
            f"Arithmetic alone on {profile.name} (k = MAC / AC = {k:.3g}, T = {steps}): break-"
            f"even rate k / T = {compute_only_rate(k, steps):.3g}; after Yan et al. 2024, against "
            f"a dense twin: {needs}.",
            console,
        )
