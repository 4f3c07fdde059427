"""Energy per transformer layer, as a picture."""

from __future__ import annotations

from itertools import chain
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from energy import Estimate
from energy.words import energy_unit
from hwmodels import Op
from reports.kit.parts import (
    ACCOUNTING_NAMES,
    COMPONENT_COLOURS,
    COMPONENT_NAMES,
    GROUP_COLOURS,
    GROUP_NAMES,
    layer_axis,
    other_bound,
)
from reports.kit.style import (
    PAGE_WIDTH,
    SMALL,
    SPIKING_HATCH,
    bars,
    headline,
    layer_ticks,
    styled,
)

Sides = tuple[Estimate, Estimate]

#: Middles of the two bars of a layer, and their width.
_OFFSETS, _WIDTH = (-0.21, 0.21), 0.4
#: The sum at the other bound.
_OTHER: dict[str, Any] = {"color": "black", "linewidth": 1.2, "solid_capstyle": "butt"}


@styled()
def per_layer(asa: Estimate, ssa: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each transformer layer, analog beside spiking, in each accounting.

    Above, MACs and ACs only, stacked by component: the convention of the literature. Below,
    everything that has a price at the bound of the profile, stacked by kind of operation, with a
    line at the sum at the other bound. What lies outside the layers (embeddings, final norm, head)
    has a scale of its own on the right.
    """
    depths = [layer.label.depth for layer in asa.counts.layers]
    layers = 1 + max((depth for depth in depths if depth is not None), default=0)
    sides = (asa, ssa)
    figure = Figure(figsize=(PAGE_WIDTH, 5.9), layout="constrained")
    rows: Any = figure.subfigures(2, 1)
    panels = (
        ("component", f"{ACCOUNTING_NAMES['compute']}, by component"),
        ("group", f"{ACCOUNTING_NAMES[asa.profile.fusion]}, by kind of operation"),
    )
    for row, (by, name) in zip(rows, panels, strict=True):
        if None in depths:
            inside, outside = row.subplots(1, 2, width_ratios=(max(8, layers), 3 + layers / 12))
            used = _stack(outside, sides, [None], by)
        else:
            inside, used = row.subplots(1, 1), set()
        used |= _stack(inside, sides, list(range(layers)), by)
        inside.set_title(name)
        inside.set_xlabel(layer_axis(asa.counts.phase))
        handles = _legend(by, used, other_bound(asa.profile))
        row.legend(handles=handles, loc="outside lower center", ncols=4)
    headline(figure, title, subtitle, asa, ssa)
    return figure


def _stack(axes: Axes, sides: Sides, depths: list[int] | list[None], by: str) -> set[str]:
    """Draw two stacked bars per depth; returns the keys that are visible."""
    colours = GROUP_COLOURS if by == "group" else COMPONENT_COLOURS
    heights = [{key: _by_depth(side, depths, by, key) for key in colours} for side in sides]
    beyond = [_at_other_bound(side, depths) if by == "group" else [] for side in sides]
    totals = [sum(values) for side in heights for values in zip(*side.values(), strict=True)]
    largest = max(*totals, *chain(*beyond))
    scale, unit = energy_unit(largest)
    looks: Any = ({"edgecolor": "white"}, {"edgecolor": "#333333", "hatch": SPIKING_HATCH})
    for side, ends, offset, look in zip(heights, beyond, _OFFSETS, looks, strict=True):
        places = [i + offset for i in range(len(depths))]
        base = [0.0] * len(depths)
        for key, values in side.items():
            tops = [low + value / scale for low, value in zip(base, values, strict=True)]
            look |= {"facecolor": colours[key], "linewidth": 0.3}
            bars(axes, places, list(zip(base, tops, strict=True)), _WIDTH, **look)
            base = tops
        for x, end in zip(places, ends, strict=bool(ends)):
            axes.plot([x - _WIDTH / 2, x + _WIDTH / 2], [end / scale] * 2, **_OTHER)
    _scale(axes, largest / scale, unit)
    _say_unpriced(axes, sides, depths)
    layer_ticks(axes, depths)
    axes.set_xlim(-0.6, len(depths) - 0.4)
    axes.grid(axis="x", visible=False)
    return {key for side in heights for key, values in side.items() if any(values)}


def _at_other_bound(side: Estimate, depths: list[int] | list[None]) -> list[float]:
    bill = side.under(other_bound(side.profile))
    sums = [_by_depth(bill, depths, "group", group) for group in GROUP_COLOURS]
    return [sum(values) for values in zip(*sums, strict=True)]


def _scale(axes: Axes, tallest: float, unit: str) -> None:
    axes.set_ylim(0, 1.08 * tallest if tallest else 1)
    if tallest:
        axes.set_ylabel(f"energy ({unit})")
    else:
        axes.set_yticks([])


def _say_unpriced(axes: Axes, sides: Sides, depths: list[int] | list[None]) -> None:
    """Say which side's bars lack their MACs or ACs, so that a gap is not read as zero."""
    lines = []
    for side in sides:
        lacking = {
            op
            for layer in side.counts.layers
            if layer.label.depth in depths
            for op in (Op.MAC, Op.AC, Op.SHIFT_AC)
            if layer.tally.ops.get(op) and side.profile.energy_pj(op) is None
        }
        lines += [
            f"{side.counts.variant.upper()}: {op.value.upper()}s unpriced" for op in sorted(lacking)
        ]
    if not lines:
        return
    if None in depths:
        middle: Any = {"ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "\n".join(lines), rotation=90, fontsize=SMALL, **middle)
    else:
        axes.set_title(f"({'; '.join(lines)})", loc="right", fontsize=SMALL)


def _legend(by: str, used: set[str], other: str) -> list[Artist]:
    colours = GROUP_COLOURS if by == "group" else COMPONENT_COLOURS
    names = GROUP_NAMES if by == "group" else COMPONENT_NAMES
    dark = "#333333"
    mark = [Line2D([], [], label=f"sum if {other}", **_OTHER)] if by == "group" else []
    return [
        *(Patch(facecolor=colours[key], label=names[key]) for key in colours if key in used),
        Patch(facecolor="white", edgecolor=dark, label="left: analog (ASA)"),
        Patch(facecolor="white", edgecolor=dark, hatch=SPIKING_HATCH, label="right: spiking (SSA)"),
        *mark,
    ]


def _by_depth(side: Estimate, depths: list[int] | list[None], by: str, key: str) -> list[float]:
    """Energy at each depth in picojoules; None is what lies outside the layers."""
    sums = dict.fromkeys(depths, 0.0)
    for layer in side.layers:
        label = layer.count.label
        if label.depth in sums:
            if by == "group":
                sums[label.depth] += layer.group_pj(key)
            elif label.component == key:
                sums[label.depth] += layer.compute_pj
    return list(sums.values())
