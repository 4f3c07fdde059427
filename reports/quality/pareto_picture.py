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

from energy.words import change
from hwmodels.plain import several
from reports.kit.answers import between
from reports.kit.caveats import PUBLISHED_CHANGE, PUBLISHED_SAVING
from reports.kit.fit import Fit
from reports.kit.palette import ANALOG, QUIET, SPIKING, SPIKING_PALE
from reports.kit.style import sheet, spread_ticks, styled, titled
from reports.quality.pareto_marks import BOUND, FRONT, PUBLISHED, legend, mark
from reports.quality.sweep import Point, pareto

#: What is drawn from left to right, the other end of it, events that it follows from, its name.
_PANELS = (
    (
        "attention_block_saving_compute",
        "",
        "attention_events_per_mac",
        "saving on the attention block, MACs and ACs alone",
    ),
    (
        "model_saving_fused",
        "model_saving_unfused",
        "",
        "saving on the whole bill of the model, fused",
    ),
)
_CHANGE = "perplexity_change"
#: A change of perplexity that is small, for the answer.
_LITTLE = 0.01
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
    kind: {"color": ANALOG, "lw": 0.9, "ls": line, "marker": marker, "ms": 3.5, "zorder": 1.8}
    for kind, line, marker in (
        ("teal", "--", "v"),
        ("wina", "-.", "<"),
        ("w8a8", "", "8"),
        ("w4a16", "", "4"),
    )
}


@styled()
def pareto_picture(
    points: Sequence[Point], baselines: Sequence[Point] = (), fit: Fit = Fit.TWO
) -> Figure:
    """Change of perplexity against saving on one hardware.

    Left the attention block in MACs and ACs alone, as most papers count, right the whole bill of
    the model, fused, with a line to what is saved unfused. The code of a point is its shape, its
    time steps are its size. The axis is logarithmic in the energy that is left, so that 90 % and
    95 % are as far apart as 0 and 50 %, and says so. Dark points are those that no other beats,
    joined. The two ends of the published range are drawn at the published loss. Baselines of the
    analog model alone are slate, those of a kind joined.
    """
    first = points[0]
    left_out, wide = 0, fit is Fit.TWO
    drawn = sheet(fit.inches, 3.7 if wide else 5.6)
    grid = drawn.body.subplots(*((1, 2) if wide else (2, 1)), sharey=True)
    for axes, (saving, other, events, name) in zip(grid, _PANELS, strict=True):
        shown = [p for p in points if _fits(p, saving)]
        left_out = max(left_out, len(points) - len(shown))
        published = PUBLISHED_SAVING if axes is grid[0] else ()
        _panel(axes, shown, saving, published, _by_kind(baselines, saving))
        if other:
            _bounds(axes, shown, saving, other)
        name = name if wide else name.replace(", MACs", ",\nMACs")
        axes.set_xlabel(f"{name}\n(logarithmic in what is left)")
        if events:
            _events_axis(axes, shown, saving, events)
    changes = [p[_CHANGE] for p in (*points, *baselines) if math.isfinite(p[_CHANGE])]
    grid[0].set_ylim(min(0, *changes, 0) * 1.6 - 0.3 * _LINEAR, max(0.3, *changes, 0) * 1.6)
    words = f"change of perplexity\n(linear to {_LINEAR:.1%}, then log.)"
    for axes in grid[:1] if wide else grid:
        axes.set_ylabel(" ".join(words.split()) if wide else words)
    named = {kind for saving, *_ in _PANELS for kind in _by_kind(baselines, saving)}
    others = [
        Line2D([], [], **style, label=kind) for kind, style in _BASELINES.items() if kind in named
    ]
    handles, columns = [*legend(points), *others], 4 if wide else 2
    drawn.body.legend(handles=handles, loc="outside lower center", ncols=columns)
    lines = [
        f"{first['model']}, weights {first['weights']}, {first['hw']}, "
        f"{first['attention']} attention counted",
        f"{first['text']}: {several(first['tokens'], 'token')}, window {first['window']}, stride "
        f"{first['stride']}, analog perplexity {first['analog_perplexity']:.2f}",
    ]
    if left_out:
        lines.append(f"{left_out} of {several(len(points), 'point')} outside")
    titled(drawn, _answer(points), *lines)
    return drawn.figure


def _answer(points: Sequence[Point]) -> str:
    """What the best point saves whose perplexity changes little, or the one that changes least."""
    priced = [p for p in points if p["model_saving_fused"] is not None]
    if not priced:
        return "What is saved is not known, as MACs or events have no price"
    little = [p for p in priced if p[_CHANGE] <= _LITTLE]
    best = (
        max(little, key=lambda p: p["model_saving_fused"])
        if little
        else min(priced, key=lambda p: p[_CHANGE])
    )
    within = f"Within +{_LITTLE:.0%}" if little else f"No point is within +{_LITTLE:.0%}"
    said = between(best["model_saving_fused"], best["model_saving_unfused"], "of the model")
    return (
        f"{within} of perplexity: at {change(best[_CHANGE])} {best['code']} with {best['form']} "
        f"attention, T = {best['timesteps']}, {said}"
    )


def _bounds(axes: Axes, shown: Sequence[Point], saving: str, other: str) -> None:
    """A line from each point to what it saves at the other bound, as far as the axis goes."""
    for point in shown:
        if point[other] is not None and point[other] < 1:
            ends = [1 - point[saving], 1 - point[other]]
            axes.plot(ends, [point[_CHANGE]] * 2, **BOUND)


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
    front = pareto(shown, saving)
    for point in sorted(shown, key=lambda p: -int(p["timesteps"])):
        best = any(point is one for one in front)
        look = mark(point, SPIKING if best else SPIKING_PALE)
        axes.plot(1 - point[saving], point[_CHANGE], zorder=2.5 if best else 2, **look)
    axes.plot([1 - p[saving] for p in front], [p[_CHANGE] for p in front], **FRONT)
    axes.plot([1 - s for s in published], [PUBLISHED_CHANGE] * len(published), **PUBLISHED)
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
    axes.axhline(0, color=QUIET, linewidth=0.6, zorder=0)


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
