"""Energies per token as a picture: bills of runs in colour, measured systems in black."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from energy.words import energy
from hwmodels.systems import Boundary
from reports.kit.palette import ANALOG, INK, MUTED, SPIKING
from reports.kit.style import PAGE_WIDTH, SMALL, beside, lanes, sheet, styled, titled
from reports.measured.lines import BILL, PREDICTED, Line

#: A shape for each boundary.
_MARKS = {
    Boundary.DYNAMIC: "v",
    Boundary.CHIP: "s",
    Boundary.TOTAL: "D",
    Boundary.WALL: "^",
    Boundary.UNSAID: "X",
}
_PANELS = (("token generated", False), ("token of the prompt", True))


@styled({"axes.grid.axis": "x"})
def beside_picture(lines: Sequence[Line]) -> Figure:
    """Energy per token on a logarithmic scale, from the least to the most, a panel for each kind.

    What has no price has no mark, and says so.
    """
    panels = [(title, [x for x in lines if x.of_prompt is kind]) for title, kind in _PANELS]
    panels = [(title, rows) for title, rows in panels if rows]
    sizes = [len(rows) + 2.0 for _, rows in panels]
    drawn = sheet(PAGE_WIDTH, 0.8 + 0.19 * sum(sizes))
    found = drawn.body.subplots(len(panels), 1, sharex=True, height_ratios=sizes, squeeze=False)
    known = [x for line in lines for x in (line.low_j, line.high_j) if x]
    for axes, (title, rows) in zip(found[:, 0], panels, strict=True):
        axes.set_title(f"energy per {title}")
        _panel(axes, rows)
        if known:
            axes.set_xscale("log")
            axes.set_xlim(min(known) / 1.8, max(known) * 12)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda joules, _: energy(1e12 * joules)))
            axes.xaxis.set_minor_formatter(NullFormatter())
    found[-1, 0].set_xlabel("logarithmic")
    drawn.body.legend(handles=_legend(lines), loc="outside lower center", ncols=4)
    runs = dict.fromkeys(line.what.partition("; ")[0] for line in lines if line.boundary == BILL)
    about = "bills of single operations beside whole systems that were measured"
    titled(drawn, _answer(lines), about, *runs)
    return drawn.figure


def _answer(lines: Sequence[Line]) -> str:
    """What a generated token costs by bill, and what whole systems were measured to draw."""
    said = []
    for name, wanted in (("bills", True), ("measured systems", False)):
        kind = [x for x in lines if (x.boundary == BILL) is wanted and x.boundary != PREDICTED]
        ends = [j for x in kind if not x.of_prompt for j in (x.low_j, x.high_j) if j]
        if ends:
            said.append(f"{name} {energy(1e12 * min(ends), 3)} to {energy(1e12 * max(ends), 3)}")
    return f"A generated token: {', '.join(said)}" if said else "Nothing has a price"


def _panel(axes: Axes, rows: Sequence[Line]) -> None:
    lanes(axes, [_name(row) for row in rows])
    for lane, row in enumerate(rows):
        if row.low_j is None or row.high_j is None:
            at = axes.get_yaxis_transform()
            axes.text(0.02, lane, row.per_token, transform=at, va="center", fontsize=SMALL)
            continue
        axes.plot([row.low_j, row.high_j], [lane, lane], **_look(row))
        beside(axes, row.per_token, (row.high_j, lane), (6, 0))


def _name(line: Line) -> str:
    """A line in a few words."""
    batch = None if line.batch is None else f"batch {line.batch:.3g}"
    about = ", ".join(x for x in (line.model, line.phase, batch) if x is not None)
    return f"{line.system}: {about}" if about else line.system


def _look(line: Line) -> dict[str, Any]:
    """A mark at both ends, and a line between them."""
    if line.boundary == BILL:
        return _bill(SPIKING if line.system.endswith("spiking") else ANALOG)
    return _bill(MUTED) if line.boundary == PREDICTED else _system(Boundary(line.boundary))


def _bill(colour: str) -> dict[str, Any]:
    return {"color": colour, "linewidth": 2, "marker": "o", "markersize": 5}


def _system(boundary: Boundary) -> dict[str, Any]:
    return {"color": INK, "linewidth": 1, "marker": _MARKS[boundary], "markersize": 4}


def _legend(lines: Sequence[Line]) -> list[Line2D]:
    there = {line.boundary for line in lines}
    marks = [(f"measured, {kind}", _system(kind)) for kind in Boundary if kind in there]
    if BILL in there:
        marks = [("bill, analog", _bill(ANALOG)), ("bill, spiking", _bill(SPIKING)), *marks]
    if PREDICTED in there:
        marks = [("prediction of a server", _bill(MUTED)), *marks]
    return [Line2D([], [], label=name, **{**look, "linestyle": "none"}) for name, look in marks]
