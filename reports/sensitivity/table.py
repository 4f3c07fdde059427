"""The tables of a study: each constant of each saving, and for people the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from energy.compare.sensitivity import Sensitivity, Swing
from energy.table import Column, Table, at, attributes
from energy.words import op_names, percent
from reports.sensitivity.study import SHOWN, Study, part_name, range_text, value_text


class Line(NamedTuple):
    """One constant of one saving; a saving that does not exist has one line without a constant."""

    study: Study
    block: str | None
    accounting: str
    result: Sensitivity
    swing: Swing | None = None


#: Columns of `sensitivity.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("study.asa.profile.name")),
    Column("block", lambda line: line.block or "total", "block", words=True, key=True),
    Column("accounting", at("accounting"), "accounting", words=True, key=True),
    Column("constant", at("swing.constant.name"), "constant", words=True, key=True),
    Column("value", lambda line: line.swing and value_text(line.swing.constant), "value"),
    Column("unit", at("swing.constant.unit"), "unit", words=True),
    Column("evidence", at("swing.constant.evidence"), "evidence", words=True),
    Column("low_factor", at("swing.constant.low")),
    Column("high_factor", at("swing.constant.high")),
    Column("range_from", at("swing.constant.origin"), "range from", words=True),
    *attributes("swing", "asa_pj", "ssa_pj"),
    Column("saving_at_low", at("swing.at_low"), "at low", percent),
    Column("saving_at_high", at("swing.at_high"), "at high", percent),
    Column("span", at("swing.span"), "span", percent),
    Column("saving", at("result.nominal.saving"), "saving", percent),
    Column("saving_p5", at("result.interval.low"), "5 %", percent),
    Column("saving_p50", at("result.interval.median"), "median", percent),
    Column("saving_p95", at("result.interval.high"), "95 %", percent),
    Column(
        "cheaper_share",
        at("result.interval.cheaper"),
        "spiking is cheaper in",
        partial(percent, digits=1),
    ),
    *attributes("study", "samples", "seed"),
    Column(
        "unpriced",
        lambda line: op_names(line.result.nominal.unpriced),
        "without a price",
        words=True,
    ),
    *attributes("study.ssa", "dataflow"),
    *attributes("study.ssa.counts", "timesteps", "phase", "tokens"),
    *attributes("study.ssa.counts", "attention", "model", "weights"),
    Column("source", at("swing.constant.source")),
)
_RANGE = Column[Line]("range", lambda line: line.swing and range_text(line.swing.constant), "range")


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
    return Table(
        COLUMNS,
        [Line(study, *part, result) for part, result in study.results.items()],
        f"{about}\n{study.asa.profile.title}; {samples}",
    ).only(
        *("block", "accounting", "saving", "saving_p50", "saving_p5", "saving_p95"),
        *("cheaper_share", "unpriced"),
    )


def swings_table(study: Study, block: str | None, accounting: str) -> Table[Line]:
    """The constants that move a saving most."""
    result = study.results[block, accounting]
    moving = [swing for swing in result.swings if swing.span][:SHOWN]
    return Table(
        (*COLUMNS, _RANGE),
        [Line(study, block, accounting, result, swing) for swing in moving],
        f"{part_name(block)}, {accounting}: what moves the saving",
    ).only(
        *("constant", "value", "unit", "range", "saving_at_low", "saving_at_high", "span"),
        *("evidence", "range_from"),
    )
