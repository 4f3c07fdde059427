"""Counts and bills as data frames and as HTML, for notebooks.

pandas is imported when the first frame is asked for: counting and pricing do without it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from energy.bill.estimate import GROUPS
from energy.counts.file import COUNT_COLUMNS, count_rows
from hwmodels import Op

if TYPE_CHECKING:
    from pandas import DataFrame

    from energy.bill.estimate import Estimate
    from energy.bill.saving import Saving
    from energy.counts.counts import Counts, LayerCount

#: Columns of a frame of counts: those of `counts.csv`, and the spike rate after the slots.
_AT = COUNT_COLUMNS.index("slots") + 1
COUNT_FRAME_COLUMNS = (*COUNT_COLUMNS[:_AT], "spike_rate", *COUNT_COLUMNS[_AT:])

#: Columns of a frame of a bill.
ESTIMATE_COLUMNS = (
    "hw",
    "dataflow",
    "variant",
    "layer",
    "kind",
    "block",
    "component",
    "depth",
    "calls",
    "spike_rate",
    *(f"{group}_pj" for group in GROUPS),
    "energy_pj",
    "unpriced",
    "timesteps",
    "phase",
    "tokens",
    "model",
    "weights",
)

#: Columns of a frame of savings.
SAVING_FRAME_COLUMNS = (
    "block",
    "component",
    "accounting",
    "asa_pj",
    "ssa_pj",
    "saving",
    "unpriced",
)

#: Columns that hold whole numbers, or nothing.
WHOLE = ("depth", "zero_macs")


def counts_frame(counts: Counts) -> DataFrame:
    """One row per layer with the columns of `COUNT_FRAME_COLUMNS`; what is unknown is missing."""
    rates = [layer.spike_rate for layer in counts.layers]
    rows = [row | {"spike_rate": rate} for row, rate in zip(count_rows(counts), rates, strict=True)]
    return _frame(rows, COUNT_FRAME_COLUMNS)


def estimate_frame(bill: Estimate) -> DataFrame:
    """One row per layer with the columns of `ESTIMATE_COLUMNS`, in picojoules.

    A layer whose MACs or ACs have no price has no `compute_pj` and no `energy_pj`: a gap is never
    a zero. Static energy belongs to no layer, so it is not here.
    """
    counts, missing = bill.counts, bill.unpriced
    rows: list[dict[str, object]] = []
    for layer in bill.layers:
        count, lost = layer.count, layer.lacks_compute
        groups = {
            f"{group}_pj": None if lost and group == "compute" else layer.group_pj(group)
            for group in GROUPS
        }
        rows.append(
            {
                "hw": bill.profile.name,
                "dataflow": str(bill.dataflow),
                "variant": counts.variant,
                "layer": count.name,
                "kind": count.kind,
                "block": count.label.block,
                "component": count.label.component,
                "depth": count.label.depth,
                "calls": count.calls,
                "spike_rate": count.spike_rate,
                **groups,
                "energy_pj": None if lost else layer.total_pj,
                "unpriced": _words(op for op in missing if count.tally.ops.get(op)),
                "timesteps": counts.timesteps,
                "phase": counts.phase,
                "tokens": counts.tokens,
                "model": counts.model,
                "weights": counts.weights,
            }
        )
    return _frame(rows, ESTIMATE_COLUMNS)


def saving_frame(parts: Iterable[Saving]) -> DataFrame:
    """One row per saving with the columns of `SAVING_FRAME_COLUMNS`."""
    rows = [
        {column: getattr(part, column) for column in SAVING_FRAME_COLUMNS}
        | {"unpriced": _words(part.unpriced)}
        for part in parts
    ]
    return _frame(rows, SAVING_FRAME_COLUMNS)


def _words(ops: Iterable[Op]) -> str:
    return " ".join(op.value for op in ops)


def _frame(rows: list[dict[str, object]], columns: Sequence[str]) -> DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    for column in frame.columns:
        if column in WHOLE:
            frame[column] = frame[column].replace("", None).astype("Int64")
        elif column == "spike_rate" or column.endswith("_pj") or column == "saving":
            frame[column] = frame[column].astype("float64")
    return frame


def html_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in HTML; all its text is escaped, and its numbers are flush right."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in headings)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{"left" if i == 0 else "right"}">{html.escape(cell)}</td>'
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    caption = f'<caption style="text-align:left">{html.escape(title)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picojoules(pj: float | None) -> str:
    """An energy with a unit in which it has one to three digits before the point."""
    if pj is None:
        return "unpriced"
    for scale, unit in ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ")):
        if abs(pj) >= scale:
            return f"{pj / scale:.4g} {unit}"
    return f"{pj:.4g} pJ"


def counts_html(counts: Counts) -> str:
    """Counts by block and component."""
    parts = [(name, counts.only(block=b, component=c)) for name, b, c in _parts(counts)]
    rows = [
        [
            name,
            str(len(part.layers)),
            f"{part.total(Op.MAC):,}",
            f"{part.total(Op.AC, Op.SHIFT_AC):,}",
            f"{part.total(Op.NEURON_UPDATE):,}",
            _rate(part.layers),
        ]
        for name, part in parts
    ]
    headings = ["part", "layers", "MACs", "ACs", "neuron updates", "spike rate"]
    return html_table(_title(counts), headings, rows)


def _rate(layers: Sequence[LayerCount]) -> str:
    slots = sum(layer.tally.slots for layer in layers)
    return f"{sum(layer.tally.spikes for layer in layers) / slots:.4f}" if slots else "-"


def estimate_html(bill: Estimate) -> str:
    """Energy by block and component, and by heading of the bill."""
    rows = []
    for name, block, component in _parts(bill.counts):
        layers = [
            layer
            for layer in bill.layers
            if block in (None, layer.count.label.block)
            and component in (None, layer.count.label.component)
        ]
        lost = any(layer.lacks_compute for layer in layers)
        cells: list[float | None] = [
            None if lost and group == "compute" else sum(layer.group_pj(group) for layer in layers)
            for group in GROUPS
        ]
        # With static energy in the last row, where it is known.
        whole = None if lost else bill.energy_pj(block=block, component=component)
        rows.append([name, *map(picojoules, (*cells, whole))])
    headings = ["part", *GROUPS, "all"]
    missing = f"; without a price: {_words(bill.unpriced)}" if bill.unpriced else ""
    title = f"{_title(bill.counts)}; {bill.profile.title}, {bill.dataflow}{missing}"
    return html_table(title, headings, rows)


def saving_html(part: Saving) -> str:
    """One saving."""
    saved = "-" if part.saving is None else f"{100 * part.saving:.2f} %"
    missing = f"; without a price: {_words(part.unpriced)}" if part.unpriced else ""
    name = part.block if part.component == "total" else f"{part.block} {part.component}"
    headings = ["part", "analog", "spiking", "saved"]
    rows = [[name, picojoules(part.asa_pj), picojoules(part.ssa_pj), saved]]
    return html_table(f"{part.accounting} energy{missing}", headings, rows)


def _title(counts: Counts) -> str:
    about = [counts.variant.upper(), counts.model, counts.weights and f"weights {counts.weights}"]
    about += [f"T = {counts.timesteps}", counts.phase, f"{counts.tokens:,} tokens"]
    return ", ".join(word for word in about if word)


def _parts(counts: Counts) -> Iterator[tuple[str, str | None, str | None]]:
    """Blocks after their components, in the order of the model, and the model: name and scope."""
    labels = dict.fromkeys((x.label.block, x.label.component) for x in counts.layers)
    for block in dict.fromkeys(block for block, _ in labels):
        inside = [component for at, component in labels if at == block]
        for component in inside:
            yield (f"{block} / {component}" if component else block), block, component
        if len(inside) > 1:
            yield block, block, None
    yield "model", None, None
