"""The bill of each phase, per token, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energy import Estimate
from energy.words import energy_unit
from reports.kit.parts import GROUP_COLOURS, other_bound
from reports.kit.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    SMALL,
    SPIKING_HATCH,
    beside,
    headline,
    spelled,
    styled,
)
from reports.views.phases import Part, PhaseBill, part_name, parts

#: Memory levels in the order of the profile.
_LEVELS = ("#56B4E9", "#A9D9F4", "#009E73", "#7FD6B8", "#B8B8B8")
_STATIC = "#999999"
#: Between a line of the bill and its label.
_LINE: Any = {"arrowstyle": "-", "lw": 0.4, "color": "#555555", "relpos": (0, 0.5)}
_SHORT = {
    "compute": "arithmetic",
    "scalar": "non-linear",
    "neuron": "neurons",
    "routing": "routing",
    "delivery": "delivery",
}
#: The sum at the other bound.
_OTHER: dict[str, Any] = {"color": "black", "linewidth": 1.3, "solid_capstyle": "butt", "zorder": 3}
#: Labels are at least so far apart, as a share of the axis.
_APART = 0.062
#: Left edges of the two bars, and their width; labels stand to the right of each.
_EDGES, _WIDTH = (0.06, 1.06), 0.26


@styled()
def per_phase(bills: Sequence[PhaseBill], title: str, subtitle: str) -> Figure:
    """Energy per token of each phase, analog beside spiking, stacked by the lines of the bill.

    Bars are at the bound of the profile, a line marks the sum at the other one. A whole request
    has no picture of its own.

    Each line has its name and share beside it, so that no colour need be told from another.
    """
    shown = [bill for bill in bills if bill.phase != "request"]
    sides = [side for bill in shown for side in (bill.asa, bill.ssa)]
    width = COLUMN_WIDTH if len(shown) == 1 else PAGE_WIDTH
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    for axes, bill in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _panel(axes, bill)
    first, last = bills[0], bills[-1]
    batch = first.asa.counts.batch
    about = f"{subtitle}, batch {batch}, {first.asa.dataflow}, bars {first.asa.profile.fusion}"
    if any(side.static_pj is None for side in sides):
        about += "; static energy unpriced"
    headline(figure, title, about, last.asa, last.ssa)
    return figure


def _panel(axes: Axes, bill: PhaseBill) -> None:
    sides, other = (bill.asa, bill.ssa), other_bound(bill.asa.profile)
    beyond = bill.under(other)
    totals = [
        bill.per_token(side.energy_pj())
        for side in (*sides, beyond.asa, beyond.ssa)
        if not side.lacks_compute
    ]
    largest = max(totals, default=0.0)
    scale, unit = energy_unit(largest)
    top = 1.2 * largest / scale or 1.0
    axes.set_ylim(0, top)
    for side, there, x, hatch in zip(
        sides, (beyond.asa, beyond.ssa), _EDGES, (None, SPIKING_HATCH), strict=True
    ):
        if side.lacks_compute:
            _say_unpriced(axes, side, x, top)
            continue
        lines = [(p, bill.per_token(p.pj) / scale) for p in parts(side)[:-1] if p.pj]
        total = _bar(axes, side, lines, x, hatch)
        end = bill.per_token(there.energy_pj()) / scale
        axes.plot([x - 0.03, x + _WIDTH + 0.03], [end, end], **_OTHER)
        said: dict[str, Any] = {"ha": "left", "va": "baseline", "fontsize": SMALL + 0.5}
        words = f"{total:.3g} {unit} {side.profile.fusion}\n{end:.3g} {unit} {other}"
        beside(axes, words, (x, max(total, end)), (0, 7), **said)
        _labels(axes, lines, x + _WIDTH, top)
    axes.set_xticks([x + _WIDTH / 2 for x in _EDGES], ["analog (ASA)", "spiking (SSA)"])
    axes.set_xlim(0, 2)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(f"energy per token ({unit})")
    axes.set_title(f"{bill.phase}, new tokens per sequence: {bill.tokens:,}")
    if not largest:
        axes.set_yticks([])
    axes.grid(axis="x", visible=False)


def _bar(
    axes: Axes, side: Estimate, lines: list[tuple[Part, float]], x: float, hatch: str | None
) -> float:
    """One bar; its height."""
    edge = "white" if hatch is None else "#333333"
    look: dict[str, Any] = {"edgecolor": edge, "linewidth": 0.4, "hatch": hatch, "align": "edge"}
    base = 0.0
    for part, height in lines:
        axes.bar(x, height, _WIDTH, bottom=base, color=_colour(part.name, side), **look)
        base += height
    return base


def _colour(name: str, side: Estimate) -> str:
    if name.startswith("memory:"):
        return _LEVELS[list(side.profile.memory).index(name[7:]) % len(_LEVELS)]
    return GROUP_COLOURS.get(name, _STATIC)


def _labels(axes: Axes, lines: list[tuple[Part, float]], edge: float, top: float) -> None:
    """Name and share of each line beside its bar, joined to it, none upon another."""
    total = sum(height for _, height in lines)
    ends = list(accumulate(height for _, height in lines))
    middles = [end - height / 2 for end, (_, height) in zip(ends, lines, strict=True)]
    places = _spread(middles, _APART * top, total)
    for (part, height), middle, place in zip(lines, middles, places, strict=True):
        name = _SHORT.get(part.name) or spelled(part_name(part.name))
        share = 100 * height / total
        axes.annotate(
            f"{name} {f'{share:.1f}' if share >= 0.1 else '<0.1'} %",
            (edge, middle),
            xytext=(edge + 0.07, place),
            fontsize=SMALL,
            va="center",
            arrowprops={**_LINE, "shrinkA": 0, "shrinkB": 0},
        )


def _spread(middles: list[float], apart: float, top: float) -> list[float]:
    """Increasing places from 0, so far apart, near the increasing middles and below the top.

    Where there is no room for that, they go beyond the top.
    """
    places: list[float] = []
    for middle in middles:
        places.append(max(middle, places[-1] + apart if places else apart / 2))
    limit = max(top, apart * (len(places) - 0.5))
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit)
        limit = places[i] - apart
    return places


def _say_unpriced(axes: Axes, side: Estimate, x: float, top: float) -> None:
    """Say what a missing bar lacks, so that it is not read as zero."""
    missing = [op.value.upper() for op in side.unpriced if op.group == "compute"]
    text = f"no sum:\n{', '.join(missing)} unpriced"
    axes.text(x, top / 2, text, va="center", fontsize=SMALL)
