"""Energy per transformer layer, as a picture."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate
from hwmodels import Op
from reports.style import (
    COMPONENT_COLOURS,
    COMPONENT_NAMES,
    GROUP_COLOURS,
    GROUP_NAMES,
    SPIKING_HATCH,
    STYLE,
    headline,
    unit_for,
)


def per_layer(asa: Estimate, ssa: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each transformer layer, analog beside spiking, in both accountings.

    Above, MACs and ACs only, stacked by component: the convention of the literature. Below,
    everything that has a price, stacked by kind of operation. What lies outside the layers
    (embeddings, final norm, head) has a scale of its own on the right.
    """
    layers = 1 + max(
        (layer.label.depth for layer in asa.counts.layers if layer.label.depth is not None),
        default=0,
    )
    with mpl.rc_context(STYLE):
        width = min(12.0, max(7.2, 3.2 + 0.24 * layers))
        figure = Figure(figsize=(width, 5.2), layout="constrained")
        axes = figure.subplots(2, 2, width_ratios=(layers, max(1.5, layers / 12)), sharex="col")
        for row, by, name in (
            (0, "component", "compute only: MACs and ACs, by component"),
            (1, "group", "everything that has a price, by kind of operation"),
        ):
            inside, outside = axes[row]
            inside.set_title(name)
            used = _stack(inside, (asa, ssa), list(range(layers)), by)
            used |= _stack(outside, (asa, ssa), [None], by)
            outside.legend(handles=_legend(by, used), loc="center left", bbox_to_anchor=(1.02, 0.5))
        axes[1, 0].set_xlabel("transformer layer")
        headline(figure, title, subtitle, asa, ssa)
    return figure


def _stack(
    axes: Axes, sides: tuple[Estimate, Estimate], depths: list[int] | list[None], by: str
) -> set[str]:
    """Draw two stacked bars per depth; returns the keys that are visible."""
    colours = GROUP_COLOURS if by == "group" else COMPONENT_COLOURS
    heights = [{key: _by_depth(side, depths, by, key) for key in colours} for side in sides]
    totals = [sum(values) for side in heights for values in zip(*side.values(), strict=True)]
    scale, unit = unit_for(max(totals))
    for side, offset, hatch in zip(heights, (-0.21, 0.21), (None, SPIKING_HATCH), strict=True):
        base = [0.0] * len(depths)
        for key, values in side.items():
            scaled = [value / scale for value in values]
            axes.bar(
                [i + offset for i in range(len(depths))],
                scaled,
                0.4,
                bottom=base,
                color=colours[key],
                edgecolor="white" if hatch is None else "#333333",
                linewidth=0.3,
                hatch=hatch,
            )
            base = [b + v for b, v in zip(base, scaled, strict=True)]
    axes.set_ylabel(f"energy ({unit})")
    tallest = max(totals) / scale
    axes.set_ylim(0, 1.08 * tallest if tallest else 1)
    if not tallest:
        axes.set_yticks([])
    _say_unpriced(axes, sides, depths)
    every = 1 if len(depths) <= 24 else 2
    ticks = range(0, len(depths), every)
    axes.set_xticks(ticks, ["outside" if depths[i] is None else str(depths[i]) for i in ticks])
    axes.set_xlim(-0.6, len(depths) - 0.4)
    axes.grid(axis="x", visible=False)
    return {key for side in heights for key, values in side.items() if any(values)}


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
        axes.text(
            0.5,
            0.5,
            "\n".join(lines),
            transform=axes.transAxes,
            rotation=90,
            fontsize=7,
            ha="center",
            va="center",
        )
    else:
        axes.set_title(f"({'; '.join(lines)})", loc="right", fontsize=7)


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
