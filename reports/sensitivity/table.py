"""The tables of a study: each constant of each saving as a file, the intervals for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from energy.compare.ranges import Origin
from energy.compare.sensitivity import Sensitivity, Swing
from energy.table import Column, Table, at, attributes
from energy.words import op_names, percent
from hwmodels.plain import several
from reports.kit.files import prepare_directory, write_text
from reports.kit.parts import ACCOUNTING_NAMES
from reports.kit.pictures import Pictures, draw
from reports.kit.slugs import slugs
from reports.kit.table import print_sentence, print_table
from reports.sensitivity.study import INDEPENDENT, SHOWN, Study, part_name, range_text, value_text


class Line(NamedTuple):
    """One constant of one saving; a saving that does not exist has one line without a constant."""

    study: Study
    block: str | None
    accounting: str
    result: Sensitivity
    swing: Swing | None = None


def _factor(line: Line, end: str) -> float | None:
    """The multiple at an end of a range; None of a choice, which is no number."""
    if line.swing is None or line.swing.constant.ways:
        return None
    return line.swing.constant.low if end == "low" else line.swing.constant.high


def _block(name: str) -> str:
    return "model" if name == "total" else name


#: Columns of `sensitivity.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    Column("hw", at("study.asa.profile.name")),
    Column("block", lambda line: line.block or "total", "block", _block, words=True, key=True),
    Column(
        "accounting",
        at("accounting"),
        "counted",
        ACCOUNTING_NAMES.__getitem__,
        words=True,
        key=True,
    ),
    Column("constant", at("swing.constant.name"), "constant", words=True, key=True),
    Column("value", lambda line: line.swing and value_text(line.swing.constant), "value"),
    Column("unit", at("swing.constant.unit"), "unit", words=True),
    Column("evidence", at("swing.constant.evidence"), "evidence", words=True),
    Column("low_factor", lambda line: _factor(line, "low")),
    Column("high_factor", lambda line: _factor(line, "high")),
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
    samples = f"{several(study.samples, 'sample')}, seed {study.seed}"
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
        f"{part_name(block)}, {ACCOUNTING_NAMES[accounting]}: what moves the saving",
    ).only(
        *("constant", "value", "unit", "range", "saving_at_low", "saving_at_high", "span"),
        *("evidence", "range_from"),
    )


def print_sensitivity(study: Study, console: Console, block: str | None = "attention") -> None:
    """Print each saving with its interval, and what moves that of one block."""
    console.print()
    print_table(intervals_table(study), console)
    for accounting in study.of(block):
        console.print()
        print_table(swings_table(study, block, accounting), console)
    used = {swing.constant.origin for x in study.results.values() for swing in x.swings}
    for origin in (origin for origin in Origin if origin in used):
        print_sentence(f"Range '{origin.value}': {origin.definition}.", console, "dim")
    if used:
        print_sentence(f"Intervals: {INDEPENDENT}.", console, "dim")


def write_sensitivity(
    studies: Sequence[Study],
    directory: Path,
    block: str | None = "attention",
    *,
    pictures: Pictures = Pictures.ALL,
) -> list[Path]:
    """Write `sensitivity.csv` and, for each hardware, `tornado_HW.png` and `.svg`.

    The pictures are of one block, and only of savings that exist; the table has all blocks.
    """
    shown = [study for study in studies if study.of(block)]
    prepare_directory(directory)
    files = [write_text(directory / "sensitivity.csv", sensitivity_table(studies).to_csv())]
    if pictures is not Pictures.NONE:
        from reports.sensitivity.picture import tornado  # matplotlib takes half a second

        names = slugs(study.asa.profile.name for study in shown)
        for study, hw in zip(shown, names, strict=True):
            files += draw(partial(tornado, study, block), directory / f"tornado_{hw}", pictures)
    return files
