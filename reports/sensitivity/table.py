"""The tables of a study: each constant of each saving, and for people the intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from energy.compare.sensitivity import Interval, Sensitivity, Swing
from energy.table import Column, Table, attributes
from energy.words import op_names, percent
from reports.sensitivity.study import SHOWN, Study, part_name, range_text, value_text


class Line(NamedTuple):
    """One constant of one saving; a saving that does not exist has one line without a constant."""

    study: Study
    block: str | None
    accounting: str
    result: Sensitivity
    swing: Swing | None = None


def _interval(value: Callable[[Interval], float]) -> Callable[[Line], float | None]:
    return lambda line: None if line.result.interval is None else value(line.result.interval)


def _of_swing(column: Column[Swing]) -> Column[Line]:
    return Column(
        column.name, lambda line: None if line.swing is None else column.value(line.swing)
    )


#: Columns of `sensitivity.csv` that say what a constant does.
_SWING: tuple[Column[Swing], ...] = (
    Column("constant", lambda swing: swing.constant.name),
    Column("value", lambda swing: value_text(swing.constant)),
    *attributes("constant", "unit", "evidence"),
    Column("low_factor", lambda swing: swing.constant.low),
    Column("high_factor", lambda swing: swing.constant.high),
    Column("range_from", lambda swing: swing.constant.origin),
    *attributes("", "asa_pj", "ssa_pj"),
    Column("saving_at_low", lambda swing: swing.at_low),
    Column("saving_at_high", lambda swing: swing.at_high),
    *attributes("", "span"),
)

#: Columns of `sensitivity.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", lambda line: line.study.asa.profile.name),
    Column("block", lambda line: line.block or "total"),
    *attributes("", "accounting"),
    *map(_of_swing, _SWING),
    Column("saving", lambda line: line.result.nominal.saving),
    Column("saving_p5", _interval(lambda interval: interval.low)),
    Column("saving_p50", _interval(lambda interval: interval.median)),
    Column("saving_p95", _interval(lambda interval: interval.high)),
    Column("cheaper_share", _interval(lambda interval: interval.cheaper)),
    *attributes("study", "samples", "seed"),
    Column("unpriced", lambda line: op_names(line.result.nominal.unpriced)),
    *attributes("study.ssa", "dataflow"),
    *attributes(
        *("study.ssa.counts", "timesteps", "phase", "tokens", "attention", "model", "weights")
    ),
    _of_swing(Column("source", lambda swing: swing.constant.source)),
)

#: Columns of the intervals on the terminal.
INTERVALS: tuple[Column[Line], ...] = (
    Column("part", lambda line: part_name(line.block), "part", words=True, key=True),
    Column("accounting", lambda line: line.accounting, "accounting", words=True, key=True),
    Column("saving", lambda line: line.result.nominal.saving, "saving", percent),
    Column("saving_p50", _interval(lambda interval: interval.median), "median", percent),
    Column("saving_p5", _interval(lambda interval: interval.low), "5 %", percent),
    Column("saving_p95", _interval(lambda interval: interval.high), "95 %", percent),
    Column(
        "cheaper_share",
        _interval(lambda interval: interval.cheaper),
        "spiking is cheaper in",
        lambda share: percent(share, 1),
    ),
    Column(
        "unpriced",
        lambda line: op_names(line.result.nominal.unpriced),
        "without a price",
        words=True,
    ),
)

#: Columns of the constants on the terminal.
SWINGS: tuple[Column[Swing], ...] = (
    Column("constant", lambda swing: swing.constant.name, "constant", words=True, key=True),
    Column("value", lambda swing: f"{value_text(swing.constant)} {swing.constant.unit}", "value"),
    Column("range", lambda swing: range_text(swing.constant), "range"),
    Column("saving_at_low", lambda swing: swing.at_low, "at low", percent),
    Column("saving_at_high", lambda swing: swing.at_high, "at high", percent),
    Column("span", lambda swing: swing.span, "span", percent),
    Column("evidence", lambda swing: swing.constant.evidence, "evidence", words=True),
    Column("range_from", lambda swing: swing.constant.origin, "range from", words=True),
)


def sensitivity_table(studies: Sequence[Study]) -> Table[Line]:
    """`sensitivity.csv`: one row per hardware, saving and constant."""
    return Table(
        COLUMNS,
        [
            Line(study, block, accounting, result, swing)
            for study in studies
            for (block, accounting), result in study.results.items()
            for swing in result.swings or (None,)
        ],
    )


def intervals_table(study: Study) -> Table[Line]:
    """Each saving with its interval."""
    about = f"{study.title}, {study.ssa.dataflow}"
    samples = f"{study.samples:,} samples, seed {study.seed}"
    lines = [Line(study, *part, result) for part, result in study.results.items()]
    return Table(INTERVALS, lines, f"{about}\n{study.asa.profile.title}; {samples}")


def swings_table(result: Sensitivity, title: str) -> Table[Swing]:
    """The constants that move a saving most."""
    moving = [swing for swing in result.swings if swing.span]
    return Table(SWINGS, moving[:SHOWN], title)
