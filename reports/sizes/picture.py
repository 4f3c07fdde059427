"""Energy per token over batches or contexts, as a picture: both models, both bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from energy.words import energy_unit, percent
from reports.kit.parts import BOUNDS
from reports.kit.style import COLUMN_WIDTH, PAGE_WIDTH, spread_ticks, styled, titled
from reports.sizes.grid import Cell, SizeGrid

_SIDES = {"asa_pj": ("analog", "#222222"), "ssa_pj": ("spiking", "#E69F00")}
_DASHES: dict[str, Any] = {"fused": "-", "unfused": (0, (4, 1.5))}
#: Panels beside each other.
_COLUMNS = 3


def is_drawable(grid: SizeGrid) -> bool:
    """Whether anything has a price."""
    return bool(_values(grid))


@styled({"axes.grid.axis": "both"})
def sizes_picture(grid: SizeGrid) -> Figure:
    """Energy per token over what is swept, a panel for each batch where both are.

    The area between the bounds is what a compiler decides.
    """
    over = "context" if len(grid.axis("context")) > 1 else "batch"
    groups = [[*grid.cells]]
    if over == "context":
        groups = [[x for x in grid.cells if x.batch == batch] for batch in grid.axis("batch")]
    across = 2 if len(groups) == 4 else min(len(groups), _COLUMNS)
    down = -(-len(groups) // across)
    width = COLUMN_WIDTH if across == 1 else PAGE_WIDTH
    figure = Figure(figsize=(width, 1.3 + 1.75 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    scale, unit = energy_unit(max(_values(grid)))
    for axes, group in zip(panels.flat, groups, strict=False):
        _panel(axes, group, over, scale)
        if len(groups) > 1:
            axes.set_title(f"batch {group[0].batch:,}", fontsize=7.5)
    for axes in panels.flat[len(groups) :]:
        axes.remove()
    for axes in panels[:, 0]:
        axes.set_ylabel(f"energy per token ({unit})", fontsize=7.5)
    words = _tokens(grid) if over == "context" else "sequences side by side"
    for axes in panels.flat[max(0, len(groups) - across) : len(groups)]:
        axes.set_xlabel(words, fontsize=7.5)
        axes.tick_params(labelbottom=True)
    figure.legend(handles=_legend(grid), loc="outside lower center", ncols=2 if across == 1 else 4)
    titled(figure, *_about(grid, over))
    return figure


def _values(grid: SizeGrid) -> list[float]:
    bills = [bill for cell in grid.cells for bill in cell.bills.values()]
    return [pj for bill in bills for pj in (bill.asa_pj, bill.ssa_pj) if pj]


def _tokens(grid: SizeGrid) -> str:
    return "context in tokens" if grid.phase == "decode" else "tokens of a sequence"


def _about(grid: SizeGrid, over: str) -> list[str]:
    """The answer, and what it rests on."""
    ends = (grid.cells[0], grid.cells[-1])
    both = over == "context" and len(grid.axis("batch")) > 1
    lines = [grid.title]
    if all(bill.saving is not None for cell in ends for bill in cell.bills.values()):
        said = [f"{_savings(cell)} at {_place(cell, over, both)}" for cell in ends]
        lines.insert(0, f"saved by spikes, {' / '.join(BOUNDS)}: {'; '.join(said)}")
    first = ends[0]
    fixed = f", batch {first.batch:,}"
    if over == "batch":
        fixed = f", {_tokens(grid)}: {first.context:,}"
    fixed = "" if both else fixed
    lines.append(f"{grid.profile.title}, {grid.dataflow}; {grid.phase}{fixed}")
    if grid.unpriced:
        lines.append(f"without a price, so not in the picture: {', '.join(grid.unpriced)}")
    return lines


def _savings(cell: Cell) -> str:
    return " / ".join(percent(cell.bills[bound].saving or 0.0, 1) for bound in BOUNDS)


def _place(cell: Cell, over: str, both: bool) -> str:
    """A cell in words."""
    if both:
        return f"batch {cell.batch:,}, context {cell.context:,}"
    return f"{over} {getattr(cell, over):,}"


def _panel(axes: Axes, cells: Sequence[Cell], over: str, scale: float) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = [getattr(cell, over) for cell in cells]
    for side, (_, colour) in _SIDES.items():
        curves = {bound: [getattr(cell.bills[bound], side) for cell in cells] for bound in BOUNDS}
        if any(None in curve for curve in curves.values()):
            continue
        low, high = ([pj / scale for pj in curves[bound]] for bound in BOUNDS)
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        for bound, curve in zip(BOUNDS, (low, high), strict=True):
            look = {"linestyle": _DASHES[bound], "linewidth": 1.3}
            axes.plot(sizes, curve, color=colour, marker="o", markersize=2.5, **look)
    axes.set_xlim(min(sizes) / 1.1, max(sizes) * 1.1)
    ends = dict.fromkeys((min(sizes), max(sizes), *sizes))
    spread_ticks(axes, {size: f"{size:,}" for size in ends}, apart=0.16)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _legend(grid: SizeGrid) -> list[Line2D]:
    sides = [side for side in _SIDES if side == "asa_pj" or grid.has_spikes]
    return [
        Line2D(
            [],
            [],
            color=_SIDES[side][1],
            linestyle=_DASHES[bound],
            label=f"{_SIDES[side][0]}, {bound}",
        )
        for side in sides
        for bound in BOUNDS
    ]
