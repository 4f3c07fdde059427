"""Runs side by side, as a picture."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from energy.words import energy, energy_unit
from reports.compare.row import Part, Rows
from reports.kit.answers import between
from reports.kit.answers import saved as in_words
from reports.kit.palette import ANALOG, FAINT, INK, MUTED, PAPER, QUIET, SPIKING
from reports.kit.parts import BOUNDS
from reports.kit.style import PAGE_WIDTH, SMALL, beside, sheet, styled, titled

#: Colour and shape of each saving, by accounting and block, hollow if unfused.
_MARKS: dict[tuple[str, str | None], dict[str, Any]] = {
    part: {"color": colour, "marker": marker, "markersize": 4.5, "markerfacecolor": face}
    for part, colour, marker, face in (
        (("compute", "attention"), QUIET, "D", QUIET),
        (("fused", "attention"), SPIKING, "s", SPIKING),
        (("unfused", "attention"), SPIKING, "s", PAPER),
        (("compute", None), QUIET, "D", QUIET),
        (("fused", None), SPIKING, "o", SPIKING),
        (("unfused", None), SPIKING, "o", PAPER),
    )
}
#: Savings below this are marked at the edge; their value is written, as all are.
_LEAST = -1.0
#: How far the marks of one row are apart, in rows.
_APART = 0.17
#: Energies that are further apart than this are drawn on a logarithmic scale.
_DECADE = 10
#: Likewise both models.
_MODEL_APART = 0.42
_LABEL_WIDTH = 28


@styled()
def side_by_side(rows: Rows) -> Figure:
    """Energy per token or sample of both models, and what is saved, one line per run and hardware.

    On the left the whole model, everything that has a price, from the fused to the unfused bound.
    On the right the savings with the 5 to 95 % interval over the constants of the hardware. Each
    value is written; a saving below -100 % is an arrow at the edge.
    """
    labels = [_label(rows, i) for i in range(len(rows.rows))]
    height = 1.4 + sum(max(0.78, 0.06 + 0.145 * (1 + label.count("\n"))) for label in labels)
    drawn = sheet(PAGE_WIDTH, height)
    left, right = drawn.body.subplots(1, 2, sharey=True, width_ratios=(1, 1.1))
    _energies(left, rows)
    _savings(right, rows)
    left.set_yticks(range(len(labels)), labels)
    left.set_ylim(len(labels) - 0.4, -0.6)
    for axes in (left, right):
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.tick_params(axis="y", length=0)
        for edge in range(1, len(labels)):
            axes.axhline(edge - 0.5, color=FAINT, linewidth=0.6, zorder=0)
    drawn.body.legend(handles=_legend(rows), loc="outside lower center", ncols=3)
    titled(drawn, _answer(rows), *filter(None, (rows.same_text, rows.caution)))
    return drawn.figure


def _answer(rows: Rows) -> str:
    """The rows that save most and least of the whole bill."""
    ends: dict[str, tuple[float, float]] = {}
    for row in rows.rows:
        fused, unfused = (row.parts[bound, None].saving.saving for bound in BOUNDS)
        if fused is not None and unfused is not None:
            name = ", ".join(filter(None, dict.fromkeys((row.name, rows.differing(row)))))
            ends[name] = fused, unfused
    if not ends:
        return "What is saved is not known, as MACs or ACs have no price"
    best, worst = (end(ends, key=lambda name: ends[name][0]) for end in (max, min))
    first, last = "Most of the whole model is saved", "least"
    if max(ends[best]) < 0:
        first, last = "No run saves on its whole bill; least is added", "most"
    text = f"{first} in {best}: it {between(*ends[best])}"
    return text if best == worst else f"{text}; {last} in {worst}: it {between(*ends[worst])}"


def _label(rows: Rows, index: int) -> str:
    row = rows.rows[index]
    texts = dict.fromkeys((row.name, rows.differing(row)))  # a name may say it already
    wrapped = (textwrap.wrap(text, _LABEL_WIDTH, break_on_hyphens=False) for text in texts)
    return "\n".join(part for lines in wrapped for part in lines)


def _energies(axes: Axes, rows: Rows) -> None:
    ends = {
        (i + _MODEL_APART * (side - 0.5), side): tuple(
            row.per_token(x.saving.ssa_pj if side else x.saving.asa_pj)
            for x in (row.parts[bound, None] for bound in BOUNDS)
        )
        for i, row in enumerate(rows.rows)
        for side in (0, 1)
    }
    known = [pj for pair in ends.values() for pj in pair if pj]
    scale, unit = energy_unit(max(known, default=1.0))
    axes.set_title("whole model, all that has a price")
    axes.set_xlabel(f"energy per {rows.unit} ({unit})")
    if known:
        low, high = min(known) / scale, max(known) / scale
        if high > _DECADE * low:
            axes.set_xscale("log")
            axes.set_xlabel(f"energy per {rows.unit} ({unit}, logarithmic)")
            axes.set_xlim(low / 1.6, high * (high / low) ** 0.9)
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(0, high * 1.75)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for (y, side), pair in ends.items():
        _energy_pair(axes, y, side, pair, scale)


def _energy_pair(
    axes: Axes, y: float, side: int, ends: tuple[float | None, ...], scale: float
) -> None:
    """Both bounds of a model, joined, and their values; in words what has no price."""
    known = [pj for pj in ends if pj]
    if None in ends or not known:
        text = f"{('analog', 'spiking')[side]} unpriced"
        at = axes.get_yaxis_transform()
        axes.text(0.02, y, text, transform=at, fontsize=SMALL, va="center")
        return
    colour = (ANALOG, SPIKING)[side]
    axes.plot([pj / scale for pj in known], [y] * len(known), color=colour, linewidth=1.2, zorder=1)
    for pj, bound in zip(known, BOUNDS, strict=True):
        axes.plot(pj / scale, y, zorder=2, **_energy_mark(bound, side))
    texts = dict.fromkeys(energy(pj, 3) for pj in known)
    beside(axes, " to ".join(texts), (max(known) / scale, y), (5, 0))


def _energy_mark(bound: str, side: int) -> dict[str, Any]:
    """Hollow if unfused."""
    colour = (ANALOG, SPIKING)[side]
    face = colour if bound == "fused" else PAPER
    look = {"marker": "o" if side else "s", "markersize": 5.0, "linestyle": "none"}
    return {**look, "color": colour, "markerfacecolor": face}


def _savings(axes: Axes, rows: Rows) -> None:
    axes.set_title("saved (below 0 it costs more)")
    axes.set_xlabel("saving; line: 5 to 95 % over the constants")
    shown = [(accounting, block) for _, accounting, block in rows.shown]
    parts = [row.parts[x] for row in rows.rows for x in shown]
    parts = [part for part in parts if part.saving.saving is not None]
    lowest = min((part.saving.saving or 0.0 for part in parts), default=0.0)
    spread = min((part.spread.low for part in parts if part.spread), default=0.0)
    left = max(_LEAST, min(0.0, lowest, spread)) - 0.04
    axes.set_xlim(left, 1.04)
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    for i, row in enumerate(rows.rows):
        middle = (len(shown) - 1) / 2
        for step, key in enumerate(shown):
            _saving(axes, i + _APART * (step - middle), row.parts[key], _MARKS[key])
        if all(row.parts[key].saving.saving is None for key in shown):
            at = axes.get_yaxis_transform()
            axes.text(0.02, i, "no saving: unpriced", transform=at, fontsize=SMALL, va="center")


def _saving(axes: Axes, y: float, part: Part, mark: dict[str, Any]) -> None:
    """The mark of one saving, its interval and its value; at the edge one that lies beyond."""
    saved, spread = part.saving.saving, part.spread
    left = axes.get_xlim()[0]
    if saved is None:
        return
    at: Any = {"transform": axes.get_yaxis_transform(), "fontsize": SMALL, "va": "center"}
    axes.text(1.02, y, in_words(saved), color=INK, **at)
    if saved < _LEAST:
        axes.plot(left + 0.02, y, **{**mark, "marker": "<", "markersize": 4})
        return
    if spread is not None:
        ends = [max(left, spread.low), spread.high]
        axes.plot(ends, [y, y], color=mark["color"], linewidth=1.1, zorder=2)
    axes.plot(saved, y, zorder=3, **mark)


def _legend(rows: Rows) -> list[Artist]:
    energies: list[Artist] = [
        Line2D([], [], label=f"{name} {bound}", **_energy_mark(bound, side))
        for side, name in enumerate(("analog", "spiking"))
        for bound in BOUNDS
    ]
    savings = [
        Line2D([], [], label=f"saved: {name}", **_MARKS[accounting, block])
        for name, accounting, block in rows.shown
    ]
    return [*energies, *savings]  # filled column by column
