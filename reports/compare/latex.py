"""Runs side by side as a table for a paper."""

from __future__ import annotations

from collections.abc import Iterator

from energy.bill.layer import ACCOUNTINGS
from energy.table import Column, Table
from energy.words import NONE, number
from hwmodels import Op
from reports.compare.row import Row, Rows, words
from reports.kit.caveats import are_random
from reports.kit.fit import Fit
from reports.kit.latex_float import Float, Head, common_unit, in_unit, to_float
from reports.kit.parts import BOUNDS
from reports.views.latex import BOUNDS_IN_WORDS, COUNTED


def comparison_latex(rows: Rows, fit: Fit = Fit.ONE) -> str:
    """Runs side by side as a `table` for a paper, a row for each run on each hardware.

    Args:
        rows: The runs.
        fit: One column has what is saved of the model, two have attention and energies too.
    """
    scale, unit = common_unit(pj for row in rows.rows for pj in _energies_pj(row))
    saved = [_saved(accounting, None) for accounting in ACCOUNTINGS]
    heads = [Head("saved of the model (%)", len(saved))]
    columns: tuple[Column[Row], ...] = (_joined(rows), *saved)
    if fit is Fit.TWO:
        has_attention = any(block == "attention" for _, _, block in rows.shown)
        block = [_saved(x, "attention") for x in ACCOUNTINGS] if has_attention else []
        energies = [_energy(side, bound, scale) for side in ("asa", "ssa") for bound in BOUNDS]
        columns = (_joined(rows), *block, *saved, *energies)
        heads = [*([Head("saved of attention (%)", len(block))] if block else []), *heads]
        heads += [Head(f"{side} ({unit}/{rows.unit})", 2) for side in ("analog", "spiking")]
    if any(row.run.quality for row in rows.rows):
        columns, heads = (*columns, *_QUALITY), [*heads, Head("quality", len(_QUALITY))]
    label = ["comparison", *rows.runs]
    return to_float(Table(columns, rows.rows), Float(_caption(rows), label, heads), fit)


def _joined(rows: Rows) -> Column[Row]:
    """The run and all that tells it from others in one column."""

    def text(row: Row) -> str:
        differing = rows.differing(row)
        return f"{row.name}: {differing}" if differing else row.name

    return Column("run", text, "run", words=True, key=True)


def _saved(accounting: str, block: str | None) -> Column[Row]:
    def text(row: Row) -> str:
        part = row.parts[accounting, block].saving
        if None in (part.asa_pj, part.ssa_pj):
            return "unpriced"
        return NONE if part.saving is None else number(100 * part.saving, 2)

    return Column(f"{block}_{accounting}", text, COUNTED[accounting])


def _energy(side: str, bound: str, scale: float) -> Column[Row]:
    def text(row: Row) -> str:
        return in_unit(_per_token_pj(row, side, bound), scale)

    return Column(f"{side}_{bound}", text, bound)


def _per_token_pj(row: Row, side: str, bound: str) -> float | None:
    whole = row.parts[bound, None].saving
    return row.per_token(whole.asa_pj if side == "asa" else whole.ssa_pj)


def _energies_pj(row: Row) -> Iterator[float | None]:
    return (_per_token_pj(row, side, bound) for side in ("asa", "ssa") for bound in BOUNDS)


def _perplexity(row: Row) -> str:
    known = row.run.quality
    return NONE if known is None else number(100 * known.perplexity_change, 2)


def _nats(row: Row) -> str:
    return NONE if row.run.quality is None else number(row.run.quality.kl_nats)


_QUALITY: tuple[Column[Row], ...] = (
    Column("perplexity_change", _perplexity, "perplexity (%)"),
    Column("kl_nats", _nats, "KL (nats)"),
)


def _caption(rows: Rows) -> str:
    bills = [side for row in rows.rows for side in (row.asa, row.ssa)]
    missing = [op for op in Op if any(op in bill.unpriced for bill in bills)]
    random = any(are_random(row.run.asa.weights) for row in rows.rows)
    what = "conversions" if rows.unit == "token" else "networks"
    parts = (
        f"Savings of spiking {what}.",
        f"The same in all rows: {words(rows.same)}." if rows.same else "",
        rows.caution,
        BOUNDS_IN_WORDS,
        f"Without a price on some hardware, so in no sum: {', '.join(missing)}." if missing else "",
        "Random weights have other spike rates and savings than trained ones." if random else "",
    )
    return " ".join(filter(None, parts))
