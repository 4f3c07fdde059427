"""What a saving costs in perplexity, as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from hwmodels.plain import several
from reports.kit.caveats import PUBLISHED_CHANGE, PUBLISHED_SAVING
from reports.kit.style import PAGE_WIDTH, spread_ticks, styled, titled
from reports.quality.sweep import Point, pareto

#: Colour and marker of each code; filled for softmax attention, hollow for Spikformer's.
_CODES = {
    "signed_if": ("#0072B2", "o"),
    "burst": ("#CC79A7", "D"),
    "multi_threshold": ("#E69F00", "s"),
    "sar": ("#009E73", "^"),
    "pow2": ("#D55E00", "P"),
    "exact": ("#333333", "x"),
}
_PANELS = (
    ("attention_block_saving_compute", "attention_events_per_mac", "saving on the attention block"),
    ("model_saving_compute", "events_per_mac", "saving on the whole model"),
)
_CHANGE = "perplexity_change"
_FRONT: dict[str, Any] = {"color": "#333333", "linewidth": 0.9, "zorder": 1.5}
_PUBLISHED: Any = {"color": "black", "marker": "*", "ms": 8, "lw": 0.8, "ls": ":", "zorder": 3}
#: Below this change the axis is linear: changes there are noise, or gains.
_LINEAR = 0.005
_CHANGES = (-0.1, -0.01, -_LINEAR, 0, _LINEAR, 0.01, 0.1, 1, 10, 100, 1000)
#: Shares of the analog energy that may be marked, the most welcome first.
_SHARES = (1, 0.5, 0.1, 0.2, 0.05, 0.02, 0.01, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9, 0.15, 0.07, 0.03)
#: Events per MAC that may be marked, the most welcome first.
_EVENTS = (1, 0.5, 2, 0.2, 0.1, 5, 10, 0.05, 0.02, 0.01, 0.3, 0.7, 1.5, 3, 7, 0.4, 0.6, 0.8)
#: Points that need more than this share of the analog energy, or less than this, are left out.
_MOST, _LEAST = 1.25, 0.005
#: Marks of an axis are at least so far apart, as a share of its length.
_APART = 0.11
#: The axis of events is drawn if it is true to this share of its range.
_TRUE = 0.03


#: Line and marker of the baselines of the analog model, which have several settings or one.
_BASELINES: dict[str, dict[str, Any]] = {
    kind: {"color": "#777777", "lw": 0.9, "ls": line, "marker": marker, "ms": 3.5, "zorder": 1.8}
    for kind, line, marker in (
        ("teal", "--", "v"),
        ("wina", "-.", "<"),
        ("w8a8", "", "8"),
        ("w4a16", "", "4"),
    )
}


@styled()
def pareto_picture(points: Sequence[Point], baselines: Sequence[Point] = ()) -> Figure:
    """Change of perplexity against saving, of attention block and model, on one hardware.

    The code of a point is its colour and shape, its time steps are its size. The axis is
    logarithmic in the energy that is left, so that 90 % and 95 % are as far apart as 0 and 50 %.
    The line joins the points that no other beats. The two ends of the published range are drawn
    at the published loss. Baselines of the analog model alone are grey, those of a kind joined.
    """
    first = points[0]
    left_out = 0
    figure = Figure(figsize=(PAGE_WIDTH, 3.9), layout="constrained")
    grid = figure.subplots(1, 2, sharey=True)
    for axes, (saving, events, name) in zip(grid, _PANELS, strict=True):
        shown = [p for p in points if _fits(p, saving)]
        left_out = max(left_out, len(points) - len(shown))
        published = PUBLISHED_SAVING if axes is grid[0] else ()
        _panel(axes, shown, saving, published, _by_kind(baselines, saving))
        axes.set_xlabel(f"{name} (MACs and events)")
        _events_axis(axes, shown, saving, events)
    changes = [p[_CHANGE] for p in (*points, *baselines) if math.isfinite(p[_CHANGE])]
    grid[0].set_ylim(min(0, *changes, 0) * 1.6 - 0.3 * _LINEAR, max(0.3, *changes, 0) * 1.6)
    grid[0].set_ylabel("change of perplexity")
    named = {kind for saving, *_ in _PANELS for kind in _by_kind(baselines, saving)}
    others = [
        Line2D([], [], **style, label=kind) for kind, style in _BASELINES.items() if kind in named
    ]
    figure.legend(handles=[*_legend(points), *others], loc="outside lower center", ncols=4)
    lines = [
        f"{first['model']}, weights {first['weights']}, {first['hw']}, "
        f"{first['attention']} attention counted",
        f"{first['text']}: {several(first['tokens'], 'token')}, window {first['window']}, stride "
        f"{first['stride']}, analog perplexity {first['analog_perplexity']:.2f}",
    ]
    if left_out:
        lines.append(f"{left_out} of {several(len(points), 'point')} outside")
    titled(figure, *lines)
    return figure


def _by_kind(baselines: Sequence[Point], saving: str) -> dict[str, list[Point]]:
    """Baselines that fit into a panel, by kind, each in the order of what it saves."""
    found: dict[str, list[Point]] = {}
    for point in sorted((p for p in baselines if _fits(p, saving)), key=lambda p: p[saving]):
        kind = point["baseline"].partition("=")[0]
        if kind in _BASELINES:
            found.setdefault(kind, []).append(point)
    return found


def _fits(point: Point, saving: str) -> bool:
    share = None if point[saving] is None else 1 - point[saving]
    return share is not None and _LEAST <= share <= _MOST and math.isfinite(point[_CHANGE])


def _panel(
    axes: Axes,
    shown: Sequence[Point],
    saving: str,
    published: Sequence[float],
    baselines: Mapping[str, Sequence[Point]],
) -> None:
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=_LINEAR, linscale=0.6)
    # Large marks first, so that small ones stand upon them.
    for point in sorted(shown, key=lambda p: -int(p["timesteps"])):
        axes.plot(1 - point[saving], point[_CHANGE], zorder=2, **_mark(point))
    front = pareto(shown, saving)
    axes.plot([1 - p[saving] for p in front], [p[_CHANGE] for p in front], **_FRONT)
    axes.plot([1 - s for s in published], [PUBLISHED_CHANGE] * len(published), **_PUBLISHED)
    for kind, settings in baselines.items():
        drawn = [(1 - p[saving], p[_CHANGE]) for p in settings]
        axes.plot(*zip(*drawn, strict=True), **_BASELINES[kind])
    drawn_all = [*shown, *(p for settings in baselines.values() for p in settings)]
    shares = [1 - s for s in published] + [1 - p[saving] for p in drawn_all] or [1.0]
    axes.set_xlim(max(shares) * 1.15, min(shares) / 1.15)
    spread_ticks(axes, {share: f"{1 - share:.0%}" for share in _SHARES}, _APART)
    axes.set_yticks(_CHANGES)
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(0, color="#999999", linewidth=0.6, zorder=0)


def _size(timesteps: int) -> float:
    """Diameter of a mark in points."""
    return 2.6 + 0.9 * timesteps.bit_length()


def _mark(point: Point) -> dict[str, Any]:
    colour, marker = _CODES[str(point["code"])]
    filled = point["form"] == "softmax"
    return {
        "linestyle": "",
        "marker": marker,
        "markersize": _size(int(point["timesteps"])) * (1.25 if marker == "P" else 1),
        "markerfacecolor": colour if filled else "white",
        "markeredgecolor": colour if marker == "x" or not filled else "white",
        "markeredgewidth": 0.4 if filled and marker != "x" else 0.9,
    }


def _events_axis(axes: Axes, points: Sequence[Point], saving: str, events: str) -> None:
    """Events per MAC above, where they follow from the saving: one price for almost all events.

    What is left is then the MACs that no event replaces, plus so much for each event.
    """
    spiking = [p for p in points if p["code"] != "exact" and p[events] is not None]
    pairs = {(p[events], 1 - p[saving]) for p in spiking}
    if len(pairs) < 3:  # any two lie on a line
        return
    spent, left = np.array(sorted(pairs)).T
    each, rest = np.polyfit(spent, left, 1)
    error = np.abs(rest + each * spent - left).max()
    if error > _TRUE * np.ptp(left):
        return
    above = axes.twiny()
    above.set_xscale("log")
    above.set_xlim(axes.get_xlim())
    spread_ticks(above, {float(rest + each * n): f"{n:g}" for n in _EVENTS}, _APART)
    above.spines["top"].set_visible(True)
    above.set_xlabel("events per MAC")


def _percent(value: float, _position: int) -> str:
    return "0" if value == 0 else f"{100 * value:+,.10g}%"


def _legend(points: Sequence[Point]) -> list[Line2D]:
    codes = {str(p["code"]) for p in points}
    forms = dict.fromkeys(str(p["form"]) for p in points)
    steps = sorted({int(p["timesteps"]) for p in points})
    grey: dict[str, Any] = {"linestyle": "", "color": "#555555", "marker": "o"}
    faces = {"softmax": "#555555"}
    return [
        *(
            Line2D([], [], linestyle="", marker=marker, color=colour, label=code)
            for code, (colour, marker) in _CODES.items()
            if code in codes
        ),
        *(
            Line2D([], [], **grey, mfc=faces.get(form, "white"), label=f"{form} attention")
            for form in forms
        ),
        *(
            Line2D([], [], **grey, markersize=_size(count), label=f"T = {count}")
            for count in dict.fromkeys((steps[0], steps[-1]))
        ),
        Line2D([], [], **_FRONT, label="no point is better"),
        Line2D([], [], **_PUBLISHED, label="published (2510.00133)"),
    ]
