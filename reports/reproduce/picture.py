"""The published range and what was measured beside it, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from hwmodels.plain import several
from reports.kit.caveats import PUBLISHED_SAVING
from reports.kit.palette import BAND, FAINT, MUTED, PAPER, SPIKING, SPIKING_PALE
from reports.kit.parts import ACCOUNTING_NAMES, COMPUTE_ONLY
from reports.kit.style import PAGE_WIDTH, sheet, styled, titled
from reports.reproduce.rows import Reproduction, Row

#: Savings below this are an arrow at the edge.
_LEAST = -1.0
#: Inches that a letter of a label takes.
_LETTER = 0.066
_PUBLISHED: dict[str, Any] = {"facecolor": FAINT, "edgecolor": "none", "zorder": 0.5}
#: Marker of each accounting, and whether it is filled; paler without the projections.
_ACCOUNTINGS = {"compute": ("D", True), "fused": ("o", True), "unfused": ("o", False)}
#: What tells runs of one model and one T apart, where it is not the same for all.
_CONVENTIONS = ("form", "code", "streams", "attention")
#: Inches of one line, of all that is around them, and of one panel at least.
_LINE, _AROUND, _PANEL = 0.15, 1.8, 1.7


@styled()
def reproduce_picture(reproduction: Reproduction) -> Figure:
    """One panel for each hardware: a line for each run, marks at what it saves.

    The axis is linear and ends where twice the energy of the analog model is spent; what lies
    beyond is an arrow at the edge. The grey band is the published range. Rows without a price have
    no mark.
    """
    rows = reproduction.rows
    hardware = list(dict.fromkeys(str(row["hw"]) for row in rows))
    varies = _varying(rows)
    places = _places(list(dict.fromkeys(_run(row, varies) for row in rows)))
    labels = [", ".join((model, f"T = {steps}", *others)) for model, steps, *others in places]
    bottom = max(places.values())
    width = max(PAGE_WIDTH, _LETTER * max(map(len, labels)) + _PANEL * len(hardware))
    drawn = sheet(width, _AROUND + _LINE * (bottom + 1))
    panels = drawn.body.subplots(1, len(hardware), sharey=True, sharex=True, squeeze=False)[0]
    for axes, hw in zip(panels, hardware, strict=True):
        axes.set_title(hw)
        _axis(axes, _least(rows))
        _marks(axes, [row for row in rows if row["hw"] == hw], places, varies)
    panels[0].set_yticks(list(places.values()), labels)
    panels[0].set_ylim(bottom + 0.8, -0.8)
    drawn.body.legend(handles=_legend(rows), loc="outside lower center", ncols=2)
    titled(drawn, _answer(rows), *_about(reproduction, varies))
    return drawn.figure


def _answer(rows: Sequence[Row]) -> str:
    """How many runs save what is published, counted as most papers do, and on the whole bill."""
    inside, many, above = {}, 0, 0
    for kind in _ACCOUNTINGS:
        found = [row for row in rows if row["accounting"] == kind and row["projections"] == "with"]
        inside[kind] = sum(row["stands"] == "inside" for row in found)
        if kind == COMPUTE_ONLY:
            many = sum(row["saving"] is not None for row in found)
            above = sum(row["stands"] == "above" for row in found)
    low, high = (100 * share for share in PUBLISHED_SAVING)
    return (
        f"{inside[COMPUTE_ONLY]} of {several(many, 'priced run')} save the published {low:.2f} to "
        f"{high:.2f} % of the attention block in MACs and ACs alone, {above} save more; of the "
        f"whole bill {inside['fused']} do fused, {inside['unfused']} unfused"
    )


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


def _least(rows: Sequence[Row]) -> float:
    """Where the axis begins."""
    known = [float(row["saving"]) for row in rows if row["saving"] is not None]
    return max(_LEAST, min([0.0, *known]))


def _axis(axes: Axes, least: float) -> None:
    axes.set_xlim(least - 0.08, 1.04)
    axes.set_xlabel("saving, 1 − SSA / ASA")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y", visible=False)
    axes.axvspan(*PUBLISHED_SAVING, **_PUBLISHED)
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=0.6)
    axes.tick_params(axis="y", length=0)


def _marks(
    axes: Axes, rows: Sequence[Row], places: dict[_Run, float], varies: Sequence[str]
) -> None:
    for place in places.values():
        axes.axhline(place, color=BAND, linewidth=0.6, zorder=0.4)
    if all(row["saving"] is None for row in rows):
        middle: Any = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "no price for\nMACs or events", **middle)
    for row in rows:
        if (saving := row["saving"]) is not None:
            look = _mark(row["accounting"], row["projections"])
            if saving < _LEAST:
                saving, look = _LEAST - 0.04, {**look, "marker": "<"}
            axes.plot(saving, places[_run(row, varies)], **look)


def _mark(accounting: str, projections: str) -> dict[str, Any]:
    marker, filled = _ACCOUNTINGS[accounting]
    whole = projections == "with"
    colour = SPIKING if whole else SPIKING_PALE
    return {
        "linestyle": "",
        "marker": marker,
        "markersize": 3.6 if marker == "D" else 4.5,
        "markerfacecolor": colour if filled else PAPER,
        "markeredgecolor": colour,
        "markeredgewidth": 1.0,
        "zorder": 3 if whole else 2.5,
    }


def _legend(rows: Sequence[Row]) -> list[Line2D | Patch]:
    kinds = dict.fromkeys((row["accounting"], row["projections"]) for row in rows)
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=f"{ACCOUNTING_NAMES[kind]}, {scope} projections", **_mark(kind, scope))
        for scope in dict.fromkeys(scope for _, scope in kinds)
        for kind in dict.fromkeys(kind for kind, _ in kinds)
    ]
    if any(row["saving"] is not None and row["saving"] < _LEAST for row in rows):
        beyond = {**_mark("fused", "with"), "marker": "<"}
        handles.append(Line2D([], [], label="more than twice the energy, off the axis", **beyond))
    low, high = (f"{100 * share:.2f}" for share in PUBLISHED_SAVING)
    return [*handles, Patch(label=f"published (2510.00133): {low}–{high} %", **_PUBLISHED)]
