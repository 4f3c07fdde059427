"""Energy per component over all layers, as a picture."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate, saving
from energy.words import energy_unit
from reports.kit.parts import COMPONENT_NAMES, GROUP_COLOURS, present
from reports.kit.style import PAGE_WIDTH, SMALL, SPIKING_HATCH, STYLE, headline


def per_component(asa: Estimate, ssa: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each component over all layers, analog above spiking, in both accountings."""
    parts = [
        (block, component)
        for block, components in present(asa.counts, ssa.counts).items()
        for component in components
    ]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(PAGE_WIDTH, 1.2 + 0.3 * len(parts)), layout="constrained")
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
        headline(figure, title, subtitle, asa, ssa)
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
    scale, unit = energy_unit(largest)
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
    axes.tick_params(axis="y", length=0)


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(
        text, (x, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=SMALL
    )
