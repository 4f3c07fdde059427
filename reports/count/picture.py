"""What each component of one model costs, as a picture."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate
from energy.bill.estimate import GROUPS
from energy.words import energy_unit
from reports.count.run import part_pj
from reports.kit.parts import COMPONENT_NAMES, GROUP_COLOURS, GROUP_NAMES, present
from reports.kit.style import PAGE_WIDTH, SMALL, STYLE, headline


def count_components(bill: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each component over all layers, stacked by what it is spent on, with its share.

    Args:
        bill: Of one model on one hardware.
        title: The model.
        subtitle: What was run on it.
    """
    parts = [
        (block, component)
        for block, components in present(bill.counts).items()
        for component in components
    ]
    energies = [part_pj(bill, "full", *part) for part in parts]
    largest = max((pj for pj in energies if pj is not None), default=0.0)
    total = sum(filter(None, energies))
    scale, unit = energy_unit(largest)
    spent = [group for group in GROUPS if bill.group_pj(group)]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(PAGE_WIDTH, 1.2 + 0.2 * len(parts)), layout="constrained")
        axes = figure.subplots()
        for lane, (part, energy) in enumerate(zip(parts, energies, strict=True)):
            # In words, so that a gap is not read as zero.
            said = "unpriced" if energy is None else _percent(energy / total if total else 0.0)
            groups = spent if energy is not None else []
            widths = [_group_pj(bill, group, part) / scale for group in groups]
            _stack(axes, lane, dict(zip(groups, widths, strict=True)), said)
        names = [component for _, component in parts]
        axes.set_yticks(
            range(len(parts)),
            [
                COMPONENT_NAMES.get(component, component)
                + (f" ({block})" if names.count(component) > 1 else "")
                for block, component in parts
            ],
        )
        axes.set_ylim(len(parts) - 0.4, -0.6)  # in the order of the forward pass, downwards
        axes.set_xlim(0, 1.1 * largest / scale if largest else 1)
        axes.set_xlabel(f"energy ({unit})")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        figure.legend(
            handles=[Patch(facecolor=GROUP_COLOURS[g], label=GROUP_NAMES[g]) for g in spent],
            loc="outside lower center",
            ncols=max(1, len(spent)),
        )
        headline(figure, title, subtitle, bill, bill)
    return figure


def _stack(axes: Axes, lane: int, widths: Mapping[str, float], said: str) -> None:
    """A bar of one component, with a word behind it."""
    left = 0.0
    for group, width in widths.items():
        axes.barh(lane, width, 0.7, left, color=GROUP_COLOURS[group])
        left += width
    axes.annotate(
        said, (left, lane), (3, 0), textcoords="offset points", va="center", fontsize=SMALL
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or not share else "<0.1 %"


def _group_pj(bill: Estimate, group: str, part: tuple[str, str]) -> float:
    return sum(
        layer.group_pj(group)
        for layer in bill.layers
        if (layer.count.label.block, layer.count.label.component) == part
    )
