"""Arithmetic against memory for each token of decode, as the context grows, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from energy.words import energy_unit
from reports.kit.parts import other_bound
from reports.kit.style import PAGE_WIDTH, SMALL, beside, styled, titled
from reports.roofline.roofline import Roofline, TokenCost

#: Parts in the order of the legend; thickness tells them apart where colour does not.
_PARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "weights": ("reading weights", {"color": "#0072B2", "linewidth": 1.4}),
    "kv_cache": ("KV cache", {"color": "#E69F00", "linewidth": 2.4}),
    "arithmetic": ("arithmetic, neurons, delivery", {"color": "#222222", "linewidth": 3.4}),
    "other_traffic": ("activations, spikes, state", {"color": "#999999", "linewidth": 1.0}),
}
#: Activations, spikes and state at the other bound.
_BEYOND: dict[str, Any] = {"color": "#CC79A7", "linewidth": 0.8}
#: Dashes of the batches, in their order.
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)))
_CROSSING: Any = {"ls": "", "marker": "o", "ms": 5.5, "mfc": "white", "mec": "black"}
_SIDES = {"asa": "analog (ASA)", "ssa": "spiking (SSA)"}
#: Decades below the largest value that are shown.
_DECADES = 1e5


@styled({"axes.grid.axis": "both"})
def roofline_picture(roofline: Roofline) -> Figure:
    """Energy per token against context on logarithmic axes: the analog model, and the spiking one.

    What does not depend on the batch is drawn once. Reading weights is shared by the sequences of a
    batch, the KV cache is not: circles mark the context at which it costs as much. All is at the
    bound of the profile; thin lines are activations, spikes and state at the other one.
    """
    figure = Figure(figsize=(PAGE_WIDTH, 3.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    values = [pj for cost in roofline.costs for part in _PARTS if (pj := getattr(cost, part))]
    values += [cost.other_traffic for cost in roofline.beyond if cost.other_traffic]
    scale, unit = energy_unit(max(values))
    for axes, variant in zip(panels, _SIDES, strict=True):
        _panel(axes, roofline, variant, scale)
    least = max(min(values), max(values) / _DECADES)
    panels[0].set_ylim(least / scale / 1.5, max(values) / scale * 1.8)
    panels[0].set_ylabel(f"energy per token ({unit})")
    panels[0].yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    figure.legend(handles=_legend(roofline), loc="outside lower center", ncols=4)
    titled(figure, *_about(roofline))
    return figure


def _about(roofline: Roofline) -> list[str]:
    measured = f"; spike rates {roofline.rates}" if roofline.rates.startswith("measured") else ""
    lines = [
        roofline.title + measured,
        f"{roofline.profile.title}; decode, 1 new token per sequence, {roofline.dataflow}, "
        f"{roofline.profile.fusion}",
    ]
    if missing := sorted({op for cost in roofline.costs for op in cost.unpriced}):
        lines.append(f"without a price, so not in the picture: {', '.join(missing)}")
    return lines


def _panel(axes: Axes, roofline: Roofline, variant: str, scale: float) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    curves = [roofline.curve(variant, batch) for batch in roofline.batches]
    for part in _PARTS:
        _lines(axes, part, curves, scale, _PARTS[part][1])
    beyond = [
        roofline.curve(variant, batch, other_bound(roofline.profile)) for batch in roofline.batches
    ]
    _lines(axes, "other_traffic", beyond, scale, _BEYOND)
    for curve in curves:
        _cross(axes, curve, roofline.crossings.get((variant, curve[0].batch)), scale)
    longest = curves[0][-1].context
    ticks = [x for x in (1, 4, 16, 64, 256, 1024, 4096, 16384) if x < longest / 1.5]
    axes.set_xticks([*ticks, longest], [f"{x:,}" for x in (*ticks, longest)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(1, longest)
    axes.set_xlabel("context in tokens")
    axes.set_title(f"{_SIDES[variant]}\n{_shares(curves)}", fontsize=7.5)


def _lines(
    axes: Axes,
    part: str,
    curves: Sequence[Sequence[TokenCost]],
    scale: float,
    look: Mapping[str, Any],
) -> None:
    """A part in each batch; arithmetic for a token is the same in any."""
    drawn = curves[: 1 if part == "arithmetic" else None]
    for curve, dashes in zip(drawn, _DASHES, strict=False):
        shown = [cost for cost in curve if part == "kv_cache" or _is_regular(cost, curve)]
        values = [getattr(cost, part) for cost in shown]
        if None not in values and any(values):
            points = [(cost.context, pj / scale) for cost, pj in zip(shown, values, strict=True)]
            axes.plot(*zip(*points, strict=True), linestyle=dashes, **look)


def _is_regular(cost: TokenCost, curve: Sequence[TokenCost]) -> bool:
    """Whether a context is a power of two or the last one, not one at which the cache jumps.

    Right before a jump the cache leaves no room to anything else, which is true of so few contexts
    that a line to them would mislead.
    """
    return cost.context & (cost.context - 1) == 0 or cost is curve[-1]


def _shares(curves: Sequence[Sequence[TokenCost]]) -> str:
    """What share of a token is memory at the longest context, by batch."""
    ends = [curve[-1] for curve in curves]
    if any(cost.arithmetic is None for cost in ends):
        return "arithmetic unpriced"
    shares = [100 * end.memory / (end.memory + (end.arithmetic or 0.0)) for end in ends]
    said = " / ".join(f"{x:.1f}" if x > 99 else f"{x:.0f}" for x in shares)
    batches = " / ".join(f"{end.batch}" for end in ends)
    return f"memory at {ends[0].context:,}: {said} % (batch {batches})"


def _cross(axes: Axes, curve: Sequence[TokenCost], at: int | None, scale: float) -> None:
    """Where the cache passes the weights."""
    if at is None:
        return
    near = max((cost for cost in curve if cost.context <= at), key=lambda cost: cost.context)
    assert near.weights is not None
    place = (at, near.weights / scale)
    axes.plot(*place, **_CROSSING, zorder=4)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
    size: dict[str, Any] = {"fontsize": SMALL + 0.5, "ha": "right", "va": "bottom"}
    beside(axes, f"{at:,}", place, (-4, 4), **size, zorder=5, bbox=box)


def _legend(roofline: Roofline) -> list[Line2D]:
    parts = [
        Line2D([], [], label=name, **how)
        for part, (name, how) in _PARTS.items()
        if any(getattr(cost, part) for cost in roofline.costs)
    ]
    batches = [
        Line2D([], [], color="#555555", linewidth=1.4, linestyle=dashes, label=f"batch {batch}")
        for batch, dashes in zip(roofline.batches, _DASHES, strict=False)
    ]
    if any(cost.other_traffic for cost in roofline.beyond):
        label = f"the same if {other_bound(roofline.profile)}"
        parts.append(Line2D([], [], label=label, **_BEYOND))
    circle = Line2D([], [], **_CROSSING, label="KV cache passes weights")
    return [*parts, *batches, *([circle] if roofline.crossings else [])]
