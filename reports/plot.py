"""The pictures of a run. One style: colour-blind safe, readable in grey, fit for a paper."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate
from energy.estimate import GROUPS
from reports.table import present

#: Okabe and Ito's palette, ordered so that neighbours differ in lightness too.
COMPONENT_COLOURS = {
    "qkv": "#0072B2",
    "scores": "#E69F00",
    "mix": "#F0E442",
    "proj": "#56B4E9",
    "ffn_up": "#009E73",
    "ffn_down": "#7FD6B8",
    "lm_head": "#D55E00",
}
GROUP_COLOURS = {
    "compute": "#0072B2",
    "scalar": "#F0E442",
    "neuron": "#D55E00",
    "routing": "#CC79A7",
    "memory": "#56B4E9",
}
GROUP_NAMES = {
    "compute": "MACs and ACs",
    "scalar": "non-linear functions",
    "neuron": "neuron updates",
    "routing": "spike routing",
    "memory": "memory traffic",
}
COMPONENT_NAMES = {
    "qkv": "Q, K, V projections",
    "scores": "scores Q Kᵀ",
    "softmax": "softmax / row scale",
    "mix": "mix A V",
    "proj": "output projection",
    "ffn_up": "feed-forward up",
    "activation": "activation",
    "ffn_down": "feed-forward down",
    "neuron": "spiking neurons",
    "norm": "norms",
    "embedding": "embeddings",
    "lm_head": "language-model head",
}
OTHER = "#999999"
SPIKING_HATCH = "////"

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "neurt-energy",
    "svg.fonttype": "none",
    "figure.dpi": 100,
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the suffix decides the format. The same figure gives the same bytes."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=200, metadata=metadata)


def unit_for(largest_pj: float) -> tuple[float, str]:
    """Picojoules per unit, and the unit in which the largest value has one to three digits."""
    for scale, unit in ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ")):
        if largest_pj >= scale:
            return scale, unit
    return 1.0, "pJ"


def per_layer(asa: Estimate, ssa: Estimate, title: str) -> Figure:
    """Energy of each transformer layer, analog beside spiking, in both accountings.

    Above, MACs and ACs only, stacked by component: the convention of the literature. Below,
    everything that has a price, stacked by kind of operation.
    """
    layers = 1 + max(
        (layer.label.depth for layer in asa.counts.layers if layer.label.depth is not None),
        default=0,
    )
    with mpl.rc_context(STYLE):
        width = min(14.0, max(7.0, 1.6 + 0.26 * layers))
        figure = Figure(figsize=(width, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        _stack_layers(upper, (asa, ssa), layers, by="component")
        upper.set_title("compute only: MACs and ACs, by component")
        _stack_layers(lower, (asa, ssa), layers, by="group")
        lower.set_title("everything that has a price, by kind of operation")
        lower.set_xlabel("transformer layer, then what lies outside (embeddings, final norm, head)")
        _headline(figure, title, asa, ssa)
    return figure


def _stack_layers(axes: Axes, sides: tuple[Estimate, Estimate], layers: int, *, by: str) -> None:
    keys = GROUPS if by == "group" else tuple(COMPONENT_COLOURS)
    colours = GROUP_COLOURS if by == "group" else COMPONENT_COLOURS
    labels = GROUP_NAMES if by == "group" else COMPONENT_NAMES
    heights = {
        (side.counts.variant, key): _by_depth(side, layers, by, key)
        for side in sides
        for key in keys
    }
    tops = [
        [sum(heights[side.counts.variant, key][i] for key in keys) for i in range(layers + 1)]
        for side in sides
    ]
    scale, unit = unit_for(max(max(row) for row in tops))
    for side, offset, hatch in zip(sides, (-0.21, 0.21), (None, SPIKING_HATCH), strict=True):
        base = [0.0] * (layers + 1)
        for key in keys:
            values = [value / scale for value in heights[side.counts.variant, key]]
            axes.bar(
                [i + offset for i in range(layers + 1)],
                values,
                0.4,
                bottom=base,
                color=colours[key],
                edgecolor="white" if hatch is None else "#333333",
                linewidth=0.3,
                hatch=hatch,
            )
            base = [b + v for b, v in zip(base, values, strict=True)]
    used = [key for key in keys if any(any(heights[s.counts.variant, key]) for s in sides)]
    handles = [Patch(facecolor=colours[key], label=labels[key]) for key in used]
    handles += [
        Patch(facecolor="white", edgecolor="#333333", label="analog (ASA), left"),
        Patch(facecolor="white", edgecolor="#333333", hatch=SPIKING_HATCH, label="spiking, right"),
    ]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_ylabel(f"energy ({unit})")
    axes.set_xticks(range(layers + 1), [*(str(i) for i in range(layers)), "rest"])
    axes.set_xlim(-0.6, layers + 0.6)
    axes.grid(axis="x", visible=False)
    if layers > 24:
        axes.tick_params(axis="x", labelsize=6.5)


def _by_depth(side: Estimate, layers: int, by: str, key: str) -> list[float]:
    """Energy per transformer layer in picojoules; the last entry is what lies outside."""
    sums = [0.0] * (layers + 1)
    for layer in side.layers:
        label = layer.count.label
        place = layers if label.depth is None else label.depth
        if by == "group":
            sums[place] += layer.group_pj(key)
        elif label.component == key:
            sums[place] += layer.compute_pj
    return sums


def per_component(asa: Estimate, ssa: Estimate, title: str) -> Figure:
    """Energy of each component over all layers, analog above spiking, in both accountings."""
    parts = [
        (block, component)
        for block, components in present(asa.counts, ssa.counts).items()
        for component in components
    ]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(7.2, 0.9 + 0.34 * len(parts)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, accounting in ((left, "compute"), (right, "full")):
            _bars(axes, asa, ssa, parts, accounting)
        left.set_title("compute only: MACs and ACs")
        right.set_title("everything that has a price")
        left.set_yticks(
            range(len(parts)),
            [f"{COMPONENT_NAMES.get(c, c)}" + _where(parts, b, c) for b, c in parts],
        )
        left.invert_yaxis()
        right.legend(
            handles=[
                Patch(facecolor=GROUP_COLOURS["compute"], label="analog (ASA)"),
                Patch(
                    facecolor="#9CCBE8",
                    edgecolor="#333333",
                    hatch=SPIKING_HATCH,
                    label="spiking (SSA)",
                ),
            ],
            loc="lower right",
        )
        _headline(figure, title, asa, ssa)
    return figure


def _where(parts: list[tuple[str, str]], block: str, component: str) -> str:
    """The block, where several have a component of that name."""
    several = sum(c == component for _, c in parts) > 1
    return f" ({block})" if several else ""


def _bars(
    axes: Axes, asa: Estimate, ssa: Estimate, parts: list[tuple[str, str]], accounting: str
) -> None:
    values = [
        [side.energy_pj(accounting, block=b, component=c) for b, c in parts] for side in (asa, ssa)
    ]
    largest = max(max(row) for row in values)
    scale, unit = unit_for(largest)
    axes.barh(
        [i - 0.2 for i in range(len(parts))],
        [v / scale for v in values[0]],
        0.38,
        color=GROUP_COLOURS["compute"],
    )
    axes.barh(
        [i + 0.2 for i in range(len(parts))],
        [v / scale for v in values[1]],
        0.38,
        color="#9CCBE8",
        edgecolor="#333333",
        linewidth=0.3,
        hatch=SPIKING_HATCH,
    )
    for i, (analog, spiking) in enumerate(zip(*values, strict=True)):
        if analog and spiking:
            text = f"{-100 * (1 - spiking / analog):+.0f} %"
            axes.annotate(
                text,
                (max(analog, spiking) / scale, i),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
    axes.set_xlim(0, 1.18 * largest / scale if largest else 1)
    axes.set_xlabel(f"energy ({unit})")
    axes.grid(axis="y", visible=False)


def _headline(figure: Figure, title: str, asa: Estimate, ssa: Estimate) -> None:
    missing = sorted({op.value for side in (asa, ssa) for op in side.unpriced})
    lines = [f"{title} · {asa.profile.title}"]
    if missing:
        lines.append(f"without a price, so not in the picture: {', '.join(missing)}")
    columns = int(figure.get_figwidth() * 15)
    wrapped = [part for line in lines for part in textwrap.wrap(line, columns)]
    figure.suptitle("\n".join(wrapped), fontsize=8, x=0.01, ha="left")
