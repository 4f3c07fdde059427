"""The published range and what was measured beside it, as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports.kit.caveats import PUBLISHED_SAVING
from reports.kit.parts import ACCOUNTING_NAMES
from reports.kit.style import spread_ticks, styled
from reports.reproduce.rows import Reproduction, Row

#: Savings that may be marked, the most welcome first.
_TICKS = (0, 0.5, 0.9, 0.8, -1, -3, 0.95, 0.7, 0.3, 0.98, 0.99, -9, -29, -99)
#: Inches that marks of an axis are apart at least, and that a letter of a label takes.
_APART, _LETTER = 0.48, 0.066
_PUBLISHED: dict[str, Any] = {"facecolor": "#DDDDDD", "edgecolor": "none", "zorder": 0.5}
#: Colour and marker of each accounting; filled with the projections, hollow without.
_ACCOUNTINGS = {"compute": ("#0072B2", "o"), "fused": ("#D55E00", "s"), "unfused": ("#555555", "^")}
#: What tells runs of one model and one T apart, where it is not the same for all.
_CONVENTIONS = ("form", "code", "streams", "attention")
#: Inches of one line, of all that is around them, and of one panel at least.
_LINE, _AROUND, _PANEL = 0.15, 1.9, 1.7


@styled()
def reproduce_picture(reproduction: Reproduction) -> Figure:
    """One panel for each hardware: a line for each run, marks at what it saves.

    The axis is logarithmic in the energy that is left, so that 90 % and 95 % are as far apart as
    0 and 50 %. The grey band is the published range. Rows without a price have no mark.
    """
    rows = reproduction.rows
    hardware = list(dict.fromkeys(str(row["hw"]) for row in rows))
    varies = _varying(rows)
    places = _places(list(dict.fromkeys(_run(row, varies) for row in rows)))
    labels = [", ".join((model, f"T = {steps}", *others)) for model, steps, *others in places]
    bottom = max(places.values())
    room = _LETTER * max(map(len, labels))
    width = max(7.2, room + _PANEL * len(hardware))
    apart = _APART * len(hardware) / (width - room)
    size = (width, _AROUND + _LINE * (bottom + 1))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(hardware), sharey=True, squeeze=False)[0]
    for axes, hw in zip(panels, hardware, strict=True):
        axes.set_title(hw)
        _axis(axes, _ends(rows), apart)
        _marks(axes, [row for row in rows if row["hw"] == hw], places, varies)
    panels[0].set_yticks(list(places.values()), labels)
    panels[0].set_ylim(bottom + 0.8, -0.8)
    figure.legend(handles=_legend(rows), loc="outside lower center", ncols=2)
    about = [textwrap.fill(line, int(width * 15.5)) for line in _about(reproduction, varies)]
    figure.suptitle("\n".join(about), fontsize=8, x=0.01, ha="left")
    return figure


def _varying(rows: Sequence[Row]) -> list[str]:
    return [name for name in _CONVENTIONS if len({row[name] for row in rows}) > 1]


def _about(reproduction: Reproduction, varies: Sequence[str]) -> tuple[str, str]:
    """What is the same in all rows, and where the weights came from."""
    same = [f"{name} {reproduction.rows[0][name]}" for name in _CONVENTIONS if name not in varies]
    weights = dict.fromkeys(f"{row['model']} {row['weights']}" for row in reproduction.rows)
    facts = ", ".join([f"Attention block, {reproduction.facts}", *same])
    return facts, f"weights: {', '.join(weights)}"


_Run = tuple[str, ...]


def _run(row: Row, varies: Sequence[str]) -> _Run:
    return str(row["model"]), str(row["timesteps"]), *(str(row[name]) for name in varies)


def _places(runs: Sequence[_Run]) -> dict[_Run, float]:
    """A line for each run, with a gap between models."""
    place, places, before = -1.0, dict[_Run, float](), None
    for run in sorted(runs, key=lambda run: [r[0] for r in runs].index(run[0])):
        place += 1.0 if before in (None, run[0]) else 1.6
        places[run], before = place, run[0]
    return places


def _ends(rows: Sequence[Row]) -> tuple[float, float]:
    """Most and least of the analog energy that is left, with room beyond."""
    left = [1 - share for share in (0.0, *PUBLISHED_SAVING)]
    left += [1 - row["saving"] for row in rows if row["saving"] is not None and row["saving"] < 1]
    return max(left) * 1.25, min(left) / 1.25


def _axis(axes: Axes, ends: tuple[float, float], apart: float) -> None:
    """A logarithmic axis of what is left, marked with what is saved."""
    axes.set_xscale("log")
    axes.set_xlim(*ends)
    shares = {1 - share: f"{round(100 * share)} %".replace("-", "−") for share in _TICKS}
    spread_ticks(axes, shares, apart)
    axes.set_xlabel("saving, 1 − SSA / ASA")
    axes.grid(axis="y", visible=False)
    axes.axvspan(1 - PUBLISHED_SAVING[1], 1 - PUBLISHED_SAVING[0], **_PUBLISHED)
    axes.axvline(1, color="#777777", linewidth=0.7, zorder=0.6)
    axes.tick_params(axis="y", length=0)


def _marks(
    axes: Axes, rows: Sequence[Row], places: dict[_Run, float], varies: Sequence[str]
) -> None:
    for place in places.values():
        axes.axhline(place, color="#EEEEEE", linewidth=0.6, zorder=0.4)
    if all(row["saving"] is None for row in rows):
        middle: Any = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "no price for\nMACs or events", **middle)
    for row in rows:
        if row["saving"] is not None and row["saving"] < 1:
            place = places[_run(row, varies)]
            axes.plot(1 - row["saving"], place, **_mark(row["accounting"], row["projections"]))


def _mark(accounting: str, projections: str) -> dict[str, Any]:
    colour, marker = _ACCOUNTINGS[accounting]
    filled = projections == "with"
    return {
        "linestyle": "",
        "marker": marker,
        "markersize": 4.5 if filled else 5.5,
        "markerfacecolor": colour if filled else "none",
        "markeredgecolor": colour,
        "markeredgewidth": 1.0,
        "zorder": 3 if filled else 2.5,
    }


def _legend(rows: Sequence[Row]) -> list[Line2D | Patch]:
    kinds = dict.fromkeys((row["accounting"], row["projections"]) for row in rows)
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=f"{ACCOUNTING_NAMES[kind]}, {scope} projections", **_mark(kind, scope))
        for scope in dict.fromkeys(scope for _, scope in kinds)
        for kind in dict.fromkeys(kind for kind, _ in kinds)
    ]
    low, high = (f"{100 * share:.2f}" for share in PUBLISHED_SAVING)
    return [*handles, Patch(label=f"published (2510.00133): {low}–{high} %", **_PUBLISHED)]
