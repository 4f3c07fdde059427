"""The tables of break-evens and of the literature: on the terminal, and as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from energy.bill.layer import ACCOUNTINGS
from energy.compare.breakeven import BreakEven
from energy.compare.thresholds import THRESHOLDS, Threshold
from energy.table import Column, Table, at, attributes, texts
from energy.words import NONE, change, number, unit_of
from hwmodels.plain import several
from reports.breakeven.case import (
    SIGNS,
    Case,
    Origin,
    ends_texts,
    margin,
    mark,
    rate_text,
    short_name,
)


class Line(NamedTuple):
    """One part of a case in one accounting."""

    case: Case
    part: BreakEven


def _at_rates(value: Callable[[BreakEven], Any], *origins: Origin) -> Callable[[Line], Any]:
    """What is known of the events of a run, or of a plan; None elsewhere."""
    allowed = origins or (Origin.RUN, Origin.PLAN)
    return lambda line: value(line.part) if line.case.origin in allowed else None


def _spikes(part: BreakEven) -> float:
    return part.timesteps * part.busy_rate


def _saving(part: BreakEven) -> float | None:
    return None if part.bound else part.saving(part.busy_rate)


def _events(word: str, origin: Origin) -> tuple[Column[Line], ...]:
    """Columns of the events that were measured, or that were assumed."""
    values: dict[str, Callable[[BreakEven], Any]] = {
        "rate": attrgetter("busy_rate"),
        "events_per_mac": attrgetter("busy_events_per_mac"),
        "spikes_per_synapse": _spikes,
        "saving": _saving,
    }
    return tuple(Column(f"{word}_{key}", _at_rates(x, origin)) for key, x in values.items())


def _stands(threshold: Threshold, part: BreakEven) -> str:
    return threshold.stands(_spikes(part))


#: Columns of `breakeven.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("case.asa.profile.name")),
    *attributes("case.asa", "dataflow"),
    Column("origin", at("case.origin.value")),
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
    *_events("measured", Origin.RUN),
    Column("mark", _at_rates(mark)),
    Column("margin", _at_rates(margin)),
    *(Column(threshold.key, _at_rates(partial(_stands, threshold))) for threshold in THRESHOLDS),
    *attributes("case.ssa.counts", "phase", "batch", "tokens", "attention", "model", "weights"),
    *_events("assumed", Origin.PLAN),
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
    tokens = f", {several(counts.tokens, unit_of(counts.phase))}" if counts.tokens else ""
    rows = [
        (_run_cells if case.has_rates else _closed_form_cells)(list(both.values()))
        for both in case.by_part()
    ]
    return Table(
        RUN if case.has_rates else CLOSED_FORM,
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
        cells += [rate_text(line), *ends_texts(line)]
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
