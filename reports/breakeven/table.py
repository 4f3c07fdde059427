"""The tables of break-evens and of the thresholds of the literature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from energy.bill.estimate import ACCOUNTINGS
from energy.compare.breakeven import Bound, BreakEven, Verdict
from energy.compare.thresholds import THRESHOLDS, Threshold
from energy.table import Column, Table, at, attributes, texts
from energy.words import NONE, change, number
from reports.breakeven.case import Case, margin, mark

_SIGNS: dict[Bound | None, str] = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥"}


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
    Column("unpriced", lambda line: " ".join(line.part.unpriced)),
    *attributes("part", "bound"),
    Column(
        "bounded_rate",
        lambda line: line.part.priced_rate if line.part.bound in _SIGNS else None,
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
    """A case for people: a row per part, both accountings beside each other."""
    counts, profile = case.ssa.counts, case.asa.profile
    rows = [
        (_run_cells if case.measured else _closed_form_cells)(list(both.values()))
        for both in case.by_part()
    ]
    return Table(
        RUN if case.measured else CLOSED_FORM,
        rows,
        f"{case.title}, T = {counts.timesteps}, {counts.phase}, {counts.tokens:,} tokens\n"
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


def rate_text(line: BreakEven) -> str:
    """The break-even rate, or why there is none."""
    if line.verdict is Verdict.NEVER:
        return "never"
    if line.verdict is Verdict.ALWAYS:
        return "always" if line.rate is None else f"always ({line.rate:.3f})"
    if line.bound in _SIGNS and line.priced_rate is not None:
        return f"{_SIGNS[line.bound]} {line.priced_rate:.3f}"
    return number(line.rate) if line.verdict is Verdict.BELOW else line.verdict.value


def short_name(line: BreakEven) -> str:
    """The name of a part of a run, without what all of them begin with."""
    return line.part.name.removeprefix("transformer.")


def _margin_text(value: float | None) -> str:
    return f"x {value + 1:,.2f}" if value is not None and value >= 9 else change(value, 0)
