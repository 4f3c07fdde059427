"""Energy per transformer layer, as a picture."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate
from energy.words import energy_unit
from hwmodels import Op
from reports.kit.parts import COMPONENT_COLOURS, COMPONENT_NAMES, GROUP_COLOURS, GROUP_NAMES
from reports.kit.style import PAGE_WIDTH, SMALL, SPIKING_HATCH, bars, headline, layer_ticks, styled


@styled()
def per_layer(asa: Estimate, ssa: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each transformer layer, analog beside spiking, in both accountings.

    Above, MACs and ACs only, stacked by component: the convention of the literature. Below,
    everything that has a price, stacked by kind of operation. What lies outside the layers
    (embeddings, final norm, head) has a scale of its own on the right.
    """
    depths = [layer.label.depth for layer in asa.counts.layers]
    layers = 1 + max((depth for depth in depths if depth is not None), default=0)
    sides = (asa, ssa)
    figure = Figure(figsize=(PAGE_WIDTH, 5.9), layout="constrained")
    rows: Any = figure.subfigures(2, 1)
    panels = (
        ("component", "compute only: MACs and ACs, by component"),
        ("group", "everything that has a price, by kind of operation"),
    )
    for row, (by, name) in zip(rows, panels, strict=True):
        inside, outside = row.subplots(1, 2, width_ratios=(max(8, layers), 3 + layers / 12))
        used = _stack(inside, sides, list(range(layers)), by)
        used |= _stack(outside, sides, [None], by)
        inside.set_title(name)
        inside.set_xlabel("transformer layer")
        row.legend(handles=_legend(by, used), loc="outside lower center", ncols=4)
    headline(figure, title, subtitle, asa, ssa)
    return figure


def _stack(
    axes: Axes, sides: tuple[Estimate, Estimate], depths: list[int] | list[None], by: str
) -> set[str]:
    """Draw two stacked bars per depth; returns the keys that are visible."""
    colours = GROUP_COLOURS if by == "group" else COMPONENT_COLOURS
    heights = [{key: _by_depth(side, depths, by, key) for key in colours} for side in sides]
    totals = [sum(values) for side in heights for values in zip(*side.values(), strict=True)]
    scale, unit = energy_unit(max(totals))
    looks: Any = ({"edgecolor": "white"}, {"edgecolor": "#333333", "hatch": SPIKING_HATCH})
    for side, offset, look in zip(heights, (-0.21, 0.21), looks, strict=True):
        places = [i + offset for i in range(len(depths))]
        base = [0.0] * len(depths)
        for key, values in side.items():
            tops = [low + value / scale for low, value in zip(base, values, strict=True)]
            look |= {"facecolor": colours[key], "linewidth": 0.3}
            bars(axes, places, list(zip(base, tops, strict=True)), 0.4, **look)
            base = tops
    _scale(axes, max(totals) / scale, unit)
    _say_unpriced(axes, sides, depths)
    layer_ticks(axes, depths)
    axes.set_xlim(-0.6, len(depths) - 0.4)
    axes.grid(axis="x", visible=False)
    return {key for side in heights for key, values in side.items() if any(values)}


def _scale(axes: Axes, tallest: float, unit: str) -> None:
    axes.set_ylim(0, 1.08 * tallest if tallest else 1)
    if tallest:
        axes.set_ylabel(f"energy ({unit})")
    else:
        axes.set_yticks([])


def _say_unpriced(
    axes: Axes, sides: tuple[Estimate, Estimate], depths: list[int] | list[None]
) -> None:
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


def _legend(by: str, used: set[str]) -> list[Patch]:
    colours = GROUP_COLOURS if by == "group" else COMPONENT_COLOURS
    names = GROUP_NAMES if by == "group" else COMPONENT_NAMES
    dark = "#333333"
    return [
        *(Patch(facecolor=colours[key], label=names[key]) for key in colours if key in used),
        Patch(facecolor="white", edgecolor=dark, label="left: analog (ASA)"),
        Patch(facecolor="white", edgecolor=dark, hatch=SPIKING_HATCH, label="right: spiking (SSA)"),
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
