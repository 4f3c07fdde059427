"""The tables of break-evens and of the thresholds of the literature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from energy.bill.estimate import ACCOUNTINGS
from energy.compare.breakeven import Bound, BreakEven, Verdict
from energy.compare.thresholds import THRESHOLDS, Threshold
from energy.table import Column, Table, attributes
from energy.words import change, number
from reports.breakeven.case import Case, margin, mark

_SIGNS: dict[Bound | None, str] = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥"}


class Line(NamedTuple):
    """One part of a case in one accounting."""

    case: Case
    at: BreakEven


def _measured(value: Callable[[BreakEven], Any]) -> Callable[[Line], Any]:
    return lambda line: value(line.at) if line.case.measured else None


def _stands(threshold: Threshold, at: BreakEven) -> str:
    return threshold.stands(at.timesteps * at.busy_rate)


#: Columns of `breakeven.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", lambda line: line.case.asa.profile.name),
    *attributes("case.asa", "dataflow"),
    Column("origin", lambda line: "run" if line.case.measured else "closed form"),
    Column("part", lambda line: line.at.part.name),
    *attributes("at.part", "kind", "includes"),
    *attributes("at", "accounting", "timesteps", "asa_pj", "silent_pj", "busy_pj", "busy_rate"),
    *attributes("at", "rate", "events_per_mac", "spikes_per_synapse", "verdict"),
    Column("unpriced", lambda line: " ".join(line.at.unpriced)),
    Column("bound", lambda line: line.at.bound),
    Column(
        "bounded_rate",
        lambda line: line.at.priced_rate if line.at.bound in _SIGNS else None,
    ),
    Column("cancelled", lambda line: " ".join(line.at.cancelled)),
    Column("measured_rate", _measured(lambda at: at.busy_rate)),
    Column("measured_events_per_mac", _measured(lambda at: at.busy_events_per_mac)),
    Column("measured_spikes_per_synapse", _measured(lambda at: at.timesteps * at.busy_rate)),
    Column(
        "measured_saving",
        _measured(lambda at: None if at.bound else at.saving(at.busy_rate)),
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


#: Both accountings of one part.
Both = dict[str, BreakEven]


def case_table(case: Case) -> Table[Both]:
    """A case for people: a row per part, both accountings beside each other."""
    counts, profile = case.ssa.counts, case.asa.profile
    return Table(
        _measured_columns() if case.measured else _closed_form_columns(),
        case.by_part(),
        f"{case.title}, T = {counts.timesteps}, {counts.phase}, {counts.tokens:,} tokens\n"
        f"{profile.title}, dataflow {case.asa.dataflow}",
        group=_is_sum if case.measured else lambda _: None,
        strong=lambda both: case.measured and _is_sum(both),
    )


def _any(value: Callable[[BreakEven], Any]) -> Callable[[Both], Any]:
    """What both accountings share."""
    return lambda both: value(next(iter(both.values())))


_is_sum = _any(lambda line: line.part.kind in ("block", "model"))


def _of(
    accounting: str,
    heading: str,
    value: Callable[[BreakEven], Any],
    show: Callable[[Any], str] = number,
) -> Column[Both]:
    name = f"{accounting}: {heading}"
    return Column(name, lambda both: value(both[accounting]), name, show)


def _closed_form_columns() -> tuple[Column[Both], ...]:
    def crossing(value: Callable[[BreakEven], Any]) -> Callable[[BreakEven], Any]:
        nowhere = (Verdict.UNPRICED, Verdict.NEVER, Verdict.SILENT)
        return lambda line: None if line.verdict in nowhere else value(line)

    columns = [
        Column("part", _any(lambda line: line.part.name), "part", words=True, key=True),
        Column("includes", _any(lambda line: line.part.includes), "which is", words=True),
    ]
    for accounting in ACCOUNTINGS:
        columns += [
            _of(accounting, "rate", rate_text, str),
            _of(accounting, "events/MAC", crossing(lambda line: line.events_per_mac)),
            _of(accounting, "spikes/synapse", crossing(lambda line: line.spikes_per_synapse)),
        ]
    return tuple(columns)


def _measured_columns() -> tuple[Column[Both], ...]:
    columns = [
        Column("part", _any(short_name), "part", words=True, key=True),
        *(
            Column(heading, _any(value), heading, number)
            for heading, value in (
                ("rate", lambda line: line.busy_rate),
                ("events/MAC", lambda line: line.busy_events_per_mac),
                ("spikes/synapse", lambda line: line.timesteps * line.busy_rate),
            )
        ),
    ]
    for accounting in ACCOUNTINGS:
        columns += [
            _of(accounting, "break-even", rate_text, str),
            _of(accounting, "events are", lambda line: mark(line) or None, str),
            _of(accounting, "margin", margin, _margin_text),
        ]
    return tuple(columns)


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


def _margin_text(value: float) -> str:
    return f"x {value + 1:,.2f}" if value >= 9 else change(value, 0)
