"""The pictures of a run. One style: colour-blind safe, readable in grey, fit for a paper."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate, saving
from hwmodels import Op
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
SPIKING_HATCH = "////"

STYLE: Any = {
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
    "text.parse_math": False,  # a dollar in a model's name is a dollar
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
        _headline(figure, title, subtitle, asa, ssa)
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
            for op in (Op.MAC, Op.AC)
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


def per_component(asa: Estimate, ssa: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each component over all layers, analog above spiking, in both accountings."""
    parts = [
        (block, component)
        for block, components in present(asa.counts, ssa.counts).items()
        for component in components
    ]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(7.2, 1.2 + 0.3 * len(parts)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, accounting in ((left, "compute"), (right, "full")):
            _bars(axes, asa, ssa, parts, accounting)
        left.set_title("compute only: MACs and ACs")
        right.set_title("everything that has a price")
        left.set_yticks(
            range(len(parts)),
            [f"{COMPONENT_NAMES.get(c, c)}" + _where(parts, b, c) for b, c in parts],
        )
        left.set_ylim(len(parts) - 0.4, -0.6)  # in the order of the forward pass, downwards
        figure.legend(
            handles=[
                Patch(facecolor=GROUP_COLOURS["compute"], label="analog (ASA)"),
                Patch(
                    facecolor="#9CCBE8",
                    edgecolor="#333333",
                    hatch=SPIKING_HATCH,
                    label="spiking (SSA), with the change",
                ),
            ],
            loc="outside lower center",
            ncols=2,
        )
        _headline(figure, title, subtitle, asa, ssa)
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
    for i, ((block, component), analog, spiking) in enumerate(zip(parts, *values, strict=True)):
        part = saving(asa, ssa, accounting, block=block, component=component)
        for pj, lane in ((part.asa_pj, i - 0.2), (part.ssa_pj, i + 0.2)):
            if pj is None:  # so that a gap is not read as zero
                _beside(axes, 0, lane, "unpriced")
        if part.saving is not None and spiking:
            change = round(-100 * part.saving)
            _beside(axes, max(analog, spiking) / scale, i, f"{change:+d} %" if change else "±0 %")
    axes.set_xlim(0, 1.18 * largest / scale if largest else 1)
    axes.set_xlabel(f"energy ({unit})")
    axes.grid(axis="y", visible=False)


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7)


def _headline(figure: Figure, title: str, subtitle: str, asa: Estimate, ssa: Estimate) -> None:
    missing = sorted({op.value for side in (asa, ssa) for op in side.unpriced})
    lines = [title, f"{asa.profile.title}; {subtitle}"]
    if missing:
        lines.append(f"without a price, so not in the picture: {', '.join(missing)}")
    columns = int(figure.get_figwidth() * 17)
    wrapped = [part for line in lines for part in textwrap.wrap(line, columns)]
    figure.suptitle("\n".join(wrapped), fontsize=8, x=0.01, ha="left")
