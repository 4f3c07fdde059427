"""Energy per component over all layers, as a picture."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate, saving
from energy.bill.layer import ACCOUNTINGS
from energy.words import energy_unit
from reports.kit.parts import ACCOUNTING_NAMES, GROUP_COLOURS, component_names
from reports.kit.style import PAGE_WIDTH, SPIKING_HATCH, beside, headline, lanes, styled

_ANALOG: dict[str, Any] = {"facecolor": GROUP_COLOURS["compute"]}
_SPIKING: dict[str, Any] = {"facecolor": "#9CCBE8", "edgecolor": "#333333", "hatch": SPIKING_HATCH}


@styled({"axes.grid.axis": "x"})
def per_component(asa: Estimate, ssa: Estimate, title: str, subtitle: str) -> Figure:
    """Energy of each component over all layers, analog above spiking, in each accounting."""
    names = component_names(asa.counts, ssa.counts)
    figure = Figure(figsize=(PAGE_WIDTH, 1.2 + 0.3 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(ACCOUNTINGS), sharey=True)
    for axes, accounting in zip(panels, ACCOUNTINGS, strict=True):
        _bars(axes, asa, ssa, names, accounting)
        axes.set_title(ACCOUNTING_NAMES[accounting])
        lanes(axes, list(names.values()))
    handles = [
        Patch(**_ANALOG, label="analog (ASA)"),
        Patch(**_SPIKING, label="spiking (SSA), with the change"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    headline(figure, title, subtitle, asa, ssa)
    return figure


def _bars(
    axes: Axes, asa: Estimate, ssa: Estimate, parts: Collection[tuple[str, str]], accounting: str
) -> None:
    energies = [
        [side.energy_pj(accounting, block=b, component=c) for b, c in parts] for side in (asa, ssa)
    ]
    largest = max(map(max, energies))
    scale, unit = energy_unit(largest)
    looks = (_ANALOG, {**_SPIKING, "linewidth": 0.3})
    for offset, row, look in zip((-0.2, 0.2), energies, looks, strict=True):
        axes.barh([i + offset for i in range(len(row))], [pj / scale for pj in row], 0.38, **look)
    for i, ((block, component), *pair) in enumerate(zip(parts, *energies, strict=True)):
        part = saving(asa, ssa, accounting, block=block, component=component)
        for pj, lane in ((part.asa_pj, i - 0.2), (part.ssa_pj, i + 0.2)):
            if pj is None:  # so that a gap is not read as zero
                beside(axes, "unpriced", (0, lane))
        if part.saving is not None and part.ssa_pj:
            change = round(-100 * part.saving)
            beside(axes, f"{change:+d} %" if change else "±0 %", (max(pair) / scale, i))
    axes.set_xlim(0, 1.18 * largest / scale if largest else 1)
    axes.set_xlabel(f"energy ({unit})")
