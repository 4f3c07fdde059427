"""Energy per token over batches or contexts, as a picture: both models, both bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from energy.words import energy, energy_unit
from reports.kit.answers import between
from reports.kit.palette import ANALOG, SPIKING
from reports.kit.parts import BOUNDS
from reports.kit.style import COLUMN_WIDTH, PAGE_WIDTH, sheet, spread_ticks, styled, titled
from reports.sizes.grid import Cell, SizeGrid

_SIDES = {"asa_pj": ("analog", ANALOG), "ssa_pj": ("spiking", SPIKING)}
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
    drawn = sheet(width, 0.9 + 1.75 * down)
    panels = drawn.body.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    scale, unit = energy_unit(max(_values(grid)))
    for axes, group in zip(panels.flat, groups, strict=False):
        _panel(axes, group, over, scale)
        if len(groups) > 1:
            axes.set_title(f"batch {group[0].batch:,}", fontsize=7.5)
    for axes in panels.flat[len(groups) :]:
        axes.remove()
    for axes in panels[:, 0]:
        axes.set_ylabel(f"energy per {grid.token} ({unit}, log.)", fontsize=7.5)
    words = _tokens(grid) if over == "context" else "sequences side by side"
    for axes in panels.flat[max(0, len(groups) - across) : len(groups)]:
        axes.set_xlabel(f"{words} (log.)", fontsize=7.5)
        axes.tick_params(labelbottom=True)
    columns = 2 if across == 1 else 4
    drawn.body.legend(handles=_legend(grid), loc="outside lower center", ncols=columns)
    titled(drawn, _answer(grid, over), *_about(grid, over))
    return drawn.figure


def _values(grid: SizeGrid) -> list[float]:
    bills = [bill for cell in grid.cells for bill in cell.bills.values()]
    return [pj for bill in bills for pj in (bill.asa_pj, bill.ssa_pj) if pj]


def _tokens(grid: SizeGrid) -> str:
    if grid.phase.startswith("request"):
        return "tokens of prompt and answer"
    return "context in tokens" if grid.phase == "decode" else "tokens of a sequence"


def _answer(grid: SizeGrid, over: str) -> str:
    """What the spiking token saves at both ends of the sweep, or what an analog one costs."""
    both = over == "context" and len(grid.axis("batch")) > 1
    said = []
    for cell in (grid.cells[0], grid.cells[-1]):
        bills = [cell.bills[bound] for bound in BOUNDS]
        text = between(bills[0].saving, bills[1].saving)
        if not grid.has_spikes:
            ends = (f"{energy(x.asa_pj, 3)} {y}" for x, y in zip(bills, BOUNDS, strict=True))
            text = f"costs {', '.join(ends)}"
        said.append(f"{text} at {_place(cell, over, both)}")
    return f"{'The spiking' if grid.has_spikes else 'A'} {grid.token} {'; '.join(said)}"


def _about(grid: SizeGrid, over: str) -> list[str]:
    """What it rests on."""
    both = over == "context" and len(grid.axis("batch")) > 1
    lines = [grid.title]
    first = grid.cells[0]
    fixed = f", batch {first.batch:,}"
    if over == "batch":
        fixed = f", {_tokens(grid)}: {first.context:,}"
    fixed = "" if both else fixed
    lines.append(f"{grid.profile.title}, {grid.dataflow}; {grid.phase}{fixed}")
    if grid.unpriced:
        lines.append(f"without a price, so not in the picture: {', '.join(grid.unpriced)}")
    return lines


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
