"""The tables of runs side by side, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from rich.console import Console

from energy import Counts
from energy.table import Column, Table, at, attributes
from energy.words import change, energy, number, op_names, percent
from reports.compare.row import Part, Row, Rows
from reports.kit.parts import BOUNDS
from reports.kit.table import print_table


class Line(NamedTuple):
    """One saving of one row: of a block (None: the model) under one accounting."""

    row: Row
    block: str | None
    accounting: str
    part: Part
    counts: Counts


def _about(name: str) -> Column[Line]:
    return Column(name, lambda line: line.row.about[name])


def _per(unit: str, side: str) -> Column[Line]:
    """Energy of a side for each token, or for each sample; empty of a run that takes the other."""

    def value(line: Line) -> float | None:
        pj = line.part.saving.asa_pj if side == "asa" else line.part.saving.ssa_pj
        return line.row.per_token(pj) if line.row.takes == unit else None

    return Column(f"{side}_pj_per_{unit}", value)


#: Columns of `compare.csv`, before and after those of energies per token or per sample.
_BEFORE: tuple[Column[Line], ...] = (
    Column("run", at("row.name")),
    Column("hw", lambda line: line.row.about["hardware"]),
    Column("block", lambda line: line.block or "total"),
    *attributes("", "accounting"),
    *attributes("part.saving", "asa_pj", "ssa_pj"),
)
_AFTER: tuple[Column[Line], ...] = (
    *attributes("part.saving", "saving"),
    Column("saving_p5", at("part.spread.low")),
    Column("saving_p95", at("part.spread.high")),
    *attributes("counts", "events_per_mac", "spike_rate"),
    *attributes("row.run.quality", "perplexity_change", "kl_nats"),
    Column("scored_tokens", at("row.run.quality.tokens")),
    Column("unpriced", lambda line: op_names(line.part.saving.unpriced)),
    _about("dataflow"),
    *attributes("counts", "timesteps"),
    *map(_about, ("form", "code", "phase")),
    *attributes("counts", "batch", "tokens", "attention"),
    *attributes("row.run", "command"),
    *attributes("counts", "model", "weights"),
)


def _columns(units: Iterable[str]) -> tuple[Column[Line], ...]:
    each = [_per(unit, side) for unit in units for side in ("asa", "ssa")]
    return (*_BEFORE, *each, *_AFTER)


#: Columns of `compare.csv` of language models; networks have samples in place of tokens.
COLUMNS = _columns(["token"])


def lines_table(rows: Rows) -> Table[Line]:
    """`compare.csv`: one row per run, hardware, block and accounting."""
    return Table(
        _columns(dict.fromkeys(row.takes for row in rows.rows)),
        [
            Line(row, block, accounting, part, row.ssa.counts.only(block=block))
            for row in rows.rows
            for (accounting, block), part in row.parts.items()
        ],
    )


def _saved(accounting: str, block: str | None) -> Callable[[Row], str]:
    """A saving and where 5 to 95 % of the samples lie."""

    def text(row: Row) -> str:
        part, spread = row.parts[accounting, block]
        if part.asa_pj is None or part.ssa_pj is None:
            return "unpriced"
        between = f" ({100 * spread.low:.1f} to {100 * spread.high:.1f})" if spread else ""
        return percent(part.saving) + between

    return text


def _each(side: str, bound: str, unit: str) -> Column[Row]:
    def value(row: Row) -> str:
        whole = row.parts[bound, None].saving
        return energy(row.per_token(whole.asa_pj if side == "analog" else whole.ssa_pj))

    return Column(f"{side}_{bound}", value, f"{side} {bound}, per {unit}")


#: What the conversion costs, where a run has measured it.
QUALITY: tuple[Column[Row], ...] = (
    Column("perplexity_change", at("run.quality.perplexity_change"), "perplexity", change),
    Column("kl_nats", at("run.quality.kl_nats"), "KL (nats)", partial(number, digits=3)),
)


def _named(rows: Rows) -> tuple[Column[Row], ...]:
    """Columns for people, after those that name a row."""
    return (
        *(Column(name, _saved(accounting, block), name) for name, accounting, block in rows.shown),
        *(_each(side, bound, rows.unit) for bound in BOUNDS for side in ("analog", "spiking")),
    )


def comparison_table(rows: Rows) -> Table[Row]:
    """One row per run and hardware, with a column for each field that differs."""

    def field(key: str) -> Column[Row]:
        return Column(key, lambda row: row.about[key], key, words=True, key=True)

    run = Column[Row]("run", lambda row: row.name, "run", words=True, key=True)
    varying = [field(key) for key in rows.rows[0].about if key not in rows.same]
    same = f"The same in all rows: {rows.same_text}; in" if rows.same else "In"
    title = f"{same} brackets: 5 to 95 % of the samples"
    title = f"{title}. {rows.caution}".removesuffix(". ").removesuffix(".")
    return Table((run, *varying, *_measured(rows), *_named(rows)), rows.rows, title)


def _measured(rows: Rows) -> tuple[Column[Row], ...]:
    return QUALITY if any(row.run.quality for row in rows.rows) else ()


def terminal_table(rows: Rows) -> Table[Row]:
    """The same with all fields that differ in one column."""
    run = Column[Row](
        "run", lambda row: f"{row.name}\n{rows.differing(row)}", "run", words=True, key=True
    )
    return replace(comparison_table(rows), columns=(run, *_measured(rows), *_named(rows)))


def print_comparison(rows: Rows, console: Console) -> None:
    """Print one row per run and hardware, under what is the same in all of them."""
    console.print()
    print_table(terminal_table(rows), console)
