"""Runs side by side, as a picture."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from energy.words import energy_unit
from reports.compare.row import Part, Row, Rows
from reports.kit.caveats import PUBLISHED_SAVING
from reports.kit.parts import BOUNDS, SHOWN
from reports.kit.style import PAGE_WIDTH, SMALL, styled, titled

#: Colour and shape of each saving, in the order of `SHOWN`, hollow if unfused; they differ in grey
#: too.
_MARKS: tuple[dict[str, Any], ...] = tuple(
    {"color": colour, "marker": marker, "markersize": 4.5, "markerfacecolor": face}
    for colour, marker, face in (
        ("#0072B2", "o", "#0072B2"),
        ("#E69F00", "s", "#E69F00"),
        ("#E69F00", "s", "white"),
        ("#000000", "D", "#000000"),
        ("#000000", "D", "white"),
    )
)
_ANALOG, _SPIKING = "#555555", "#D55E00"
_BAND = "#E3E3E3"
#: Savings below this are written at the edge rather than drawn.
_LEAST = -1.0
#: How far the marks of one row are apart, in rows.
_APART = 0.17
#: Energies that are further apart than this are drawn on a logarithmic scale.
_DECADE = 10
#: Likewise both bounds.
_BOUND_APART = 0.4
_LABEL_WIDTH = 34


@styled()
def side_by_side(rows: Rows) -> Figure:
    """Energy per token of both models, and what is saved, one line per run and hardware.

    On the left the whole model, everything that has a price, at both bounds. On the right the
    savings with the 5 to 95 % interval over the constants of the hardware; one below -100 % is
    written at the edge.
    """
    labels = [_label(rows, i) for i in range(len(rows.rows))]
    height = 1.7 + sum(max(0.72, 0.06 + 0.145 * (1 + label.count("\n"))) for label in labels)
    figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.25))
    _energies(left, rows)
    _savings(right, rows)
    left.set_yticks(range(len(labels)), labels)
    left.set_ylim(len(labels) - 0.4, -0.6)
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.tick_params(axis="y", length=0)
        for edge in range(1, len(labels)):
            axes.axhline(edge - 0.5, color="#DDDDDD", linewidth=0.6, zorder=0)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2)
    titled(figure, rows.same_text)
    return figure


def _label(rows: Rows, index: int) -> str:
    row = rows.rows[index]
    texts = dict.fromkeys((row.name, rows.differing(row)))  # a name may say it already
    wrapped = (textwrap.wrap(text, _LABEL_WIDTH, break_on_hyphens=False) for text in texts)
    return "\n".join(part for lines in wrapped for part in lines)


def _energies(axes: Axes, rows: Rows) -> None:
    ends = {
        (i + _BOUND_APART * (step - 0.5), bound): (
            row.per_token(row.parts[bound, None].saving.asa_pj),
            row.per_token(row.parts[bound, None].saving.ssa_pj),
        )
        for i, row in enumerate(rows.rows)
        for step, bound in enumerate(BOUNDS)
    }
    known = [pj for pair in ends.values() for pj in pair if pj]
    scale, unit = energy_unit(max(known, default=1.0))
    axes.set_title("whole model, all that has a price")
    axes.set_xlabel(f"energy per token ({unit})")
    if known:
        low, high = min(known) / scale, max(known) / scale
        if high > _DECADE * low:
            axes.set_xscale("log")
            axes.set_xlim(low / 1.6, high * 1.6)
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(0, high * 1.08)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for (y, bound), (asa, ssa) in ends.items():
        _energy_pair(axes, y, bound, asa, ssa, scale)


def _energy_pair(
    axes: Axes, y: float, bound: str, asa: float | None, ssa: float | None, scale: float
) -> None:
    """The marks of one row at one bound, joined; in words, once, what has no price."""
    if asa and ssa:
        axes.plot([asa / scale, ssa / scale], [y, y], color="#999999", linewidth=1.2, zorder=1)
    for energy, spiking in ((asa, False), (ssa, True)):
        if energy:
            axes.plot(energy / scale, y, zorder=2, **_energy_mark(bound, spiking))
    if bound != BOUNDS[-1]:
        return
    if missing := [name for name, x in (("analog", asa), ("spiking", ssa)) if x is None]:
        text = f"{' and '.join(missing)} unpriced"
        at = axes.get_yaxis_transform()
        below = 0.17 if asa or ssa else -_BOUND_APART / 2
        axes.text(0.02, y + below, text, transform=at, fontsize=SMALL, va="center")


def _energy_mark(bound: str, spiking: bool) -> dict[str, Any]:
    """Orange if spiking, hollow if unfused."""
    colour, marker = (_SPIKING, "o") if spiking else (_ANALOG, "s")
    face = colour if bound == "fused" else "white"
    look = {"marker": marker, "markersize": 5.5, "linestyle": "none"}
    return {**look, "color": colour, "markerfacecolor": face}


def _savings(axes: Axes, rows: Rows) -> None:
    axes.set_title("saved by the spiking model")
    axes.set_xlabel("saving; line: 5 to 95 % over the constants")
    low, high = PUBLISHED_SAVING
    axes.axvspan(low, high, color=_BAND, zorder=0, linewidth=0)
    parts = [part for row in rows.rows for part in _shown(row) if part.saving.saving is not None]
    lowest = min((part.saving.saving or 0.0 for part in parts), default=0.0)
    spread = min((part.spread.low for part in parts if part.spread), default=0.0)
    left = max(_LEAST, min(0.0, lowest, spread)) - 0.04
    axes.set_xlim(left, 1.04)
    axes.axvline(0, color="#777777", linewidth=0.8, zorder=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    for i, row in enumerate(rows.rows):
        middle = (len(_MARKS) - 1) / 2
        for step, (part, mark) in enumerate(zip(_shown(row), _MARKS, strict=True)):
            _saving(axes, i + _APART * (step - middle), part, mark)
        if all(part.saving.saving is None for part in _shown(row)):
            at = axes.get_yaxis_transform()
            axes.text(0.02, i, "no saving: unpriced", transform=at, fontsize=SMALL, va="center")


def _shown(row: Row) -> list[Part]:
    return [row.parts[accounting, block] for _, accounting, block in SHOWN]


def _saving(axes: Axes, y: float, part: Part, mark: dict[str, Any]) -> None:
    """The mark of one saving and its interval; at the edge one that lies beyond."""
    saved, spread = part.saving.saving, part.spread
    left = axes.get_xlim()[0]
    if saved is None:
        return
    if saved < _LEAST:
        axes.plot(left + 0.02, y, **{**mark, "marker": "<", "markersize": 4})
        axes.text(left + 0.05, y, f"{saved:.0%}", fontsize=SMALL, va="center", color="#333333")
        return
    if spread is not None:
        ends = [max(left, spread.low), spread.high]
        axes.plot(ends, [y, y], color=mark["color"], linewidth=1.1, zorder=2)
    axes.plot(saved, y, zorder=3, **mark)


def _legend() -> list[Artist]:
    energies: list[Artist] = [
        Line2D([], [], label=f"{name} {bound}", **_energy_mark(bound, spiking))
        for name, spiking in (("analog", False), ("spiking", True))
        for bound in BOUNDS
    ]
    energies.append(Patch(color=_BAND, label="published: attention block"))
    savings = [
        Line2D([], [], label=f"saved: {name}", **mark)
        for (name, _, _), mark in zip(SHOWN, _MARKS, strict=True)
    ]
    return [*energies, *savings]  # filled column by column
