"""What each component of one model costs, as a picture."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate
from energy.bill.layer import GROUPS
from energy.words import energy_unit
from reports.count.run import part_pj
from reports.kit.parts import GROUP_COLOURS, GROUP_NAMES, component_names
from reports.kit.style import PAGE_WIDTH, beside, headline, lanes, styled


@styled({"axes.grid.axis": "x"})
def count_components(bill: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each component over all layers, stacked by what it is spent on, with its share."""
    names = component_names(bill.counts)
    energies = {part: part_pj(bill, "full", *part) for part in names}
    known = [pj for pj in energies.values() if pj is not None]
    largest, total = max(known, default=0.0), sum(known)
    scale, unit = energy_unit(largest)
    spent = [group for group in GROUPS if bill.group_pj(group)]
    figure = Figure(figsize=(PAGE_WIDTH, 1.2 + 0.2 * len(names)), layout="constrained")
    axes = figure.subplots()
    for lane, (part, energy) in enumerate(energies.items()):
        # In words, so that a gap is not read as zero.
        said = "unpriced" if energy is None else _percent(energy / total if total else 0.0)
        groups = spent if energy is not None else []
        _stack(axes, lane, {group: _group_pj(bill, group, part) / scale for group in groups}, said)
    lanes(axes, list(names.values()))
    axes.set_xlim(0, 1.1 * largest / scale if largest else 1)
    axes.set_xlabel(f"energy ({unit})")
    handles = [Patch(facecolor=GROUP_COLOURS[group], label=GROUP_NAMES[group]) for group in spent]
    figure.legend(handles=handles, loc="outside lower center", ncols=max(1, len(spent)))
    headline(figure, title, subtitle, bill, bill)
    return figure


def _stack(axes: Axes, lane: int, widths: Mapping[str, float], said: str) -> None:
    """A bar of one component, with a word behind it."""
    left = 0.0
    for group, width in widths.items():
        axes.barh(lane, width, 0.7, left, color=GROUP_COLOURS[group])
        left += width
    beside(axes, said, (left, lane))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or not share else "<0.1 %"


def _group_pj(bill: Estimate, group: str, part: tuple[str, str]) -> float:
    return sum(
        layer.group_pj(group)
        for layer in bill.layers
        if (layer.count.label.block, layer.count.label.component) == part
    )
