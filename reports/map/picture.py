"""A map as a picture: a panel for each width and SRAM, a cell for each batch and context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from energy.words import percent
from hwmodels.diff import size
from reports.kit.palette import ANALOG, INK, PAPER, SPIKING, ZONES
from reports.kit.style import COLUMN_WIDTH, PAGE_WIDTH, SMALL, sheet, styled, titled
from reports.map.cells import CLOSE, CONTENDERS, Cell, EnergyMap

#: A colour for each model; text on it, and the other bound's hatch over it.
CONTENDER_COLOURS = {"dense": ANALOG, "zones": ZONES, "spiking": SPIKING}
_INK = {"dense": INK, "zones": INK, "spiking": PAPER}
#: No hatch of any other picture.
_OTHER = "\\\\\\\\\\"
#: Corners of the bar of a runner-up in a cell.
_BAR = ((0.88, 0.12), (0.96, 0.12), (0.96, 0.88), (0.88, 0.88))
#: Inches: a row of cells at least, what a panel needs else, the frame; a number, and a label.
_ROW, _PANEL, _AROUND = 0.155, 0.3, 0.85
_NUMBER, _LABEL = 0.3, 0.42


@styled({"axes.grid": False, "hatch.linewidth": 0.35})
def map_picture(found: EnergyMap) -> Figure:
    """Which model costs least in each cell, fused, and what it saves of the dense model's bill.

    Rows of panels are widths of weights, columns sizes of SRAM; cells where the unfused bound has
    another winner are hatched.
    """
    widths, sizes = found.axis("weight_bits"), found.axis("sram_bytes")
    batches, contexts = found.axis("batch"), found.axis("context")
    height = _AROUND + len(widths) * (_PANEL + max(0.75, _ROW * len(batches)))
    across = PAGE_WIDTH if len(sizes) > 1 else COLUMN_WIDTH
    each = across / len(sizes) / len(contexts)
    drawn = sheet(across, height)
    panels = drawn.body.subplots(len(widths), len(sizes), squeeze=False)
    cells = {(x.weight_bits, x.sram_bytes, x.batch, x.context): x for x in found.cells}
    for i, bits in enumerate(widths):
        for j, sram in enumerate(sizes):
            rows = [[cells[bits, sram, y, x] for x in contexts] for y in batches]
            _panel(panels[i, j], rows, numbers=each > _NUMBER)
        _mark_batches(panels[i, 0], bits, batches)
    for above, below, sram in zip(panels[0], panels[-1], sizes, strict=True):
        above.set_title("" if sram is None else f"SRAM {size(sram)}")
        _mark_contexts(below, contexts, each)
    columns = 4 if across == PAGE_WIDTH else 2
    drawn.body.legend(handles=_legend(found), loc="outside lower center", ncols=columns)
    titled(drawn, _answer(found), *_about(found, numbers=each > _NUMBER))
    return drawn.figure


def _answer(found: EnergyMap) -> str:
    """In how many cells the spiking model costs least at both bounds, and what it saves there."""
    many, won = len(found.cells), found.won("spiking")
    unfused = sum(cell.unfused.winner == "spiking" for cell in found.cells)
    text = f"Spiking costs least in {len(won):,} of {many:,} cells fused, {unfused:,} unfused"
    if not won:
        return text
    ends = [end(cell.fused.margin for cell in won) for end in (min, max)]
    low, high = (percent(x, 1) for x in ends)
    return f"{text}; it saves {low if low == high else f'{low} to {high}'} against the next best"


def _about(found: EnergyMap, *, numbers: bool) -> list[str]:
    saved = "; numbers: what it saves of the dense bill, in %"
    lines = [
        *found.title.splitlines(),
        f"{found.profile.title}, dataflow {found.dataflow}",
        f"the model with the lowest whole bill per token, fused{saved if numbers else ''}",
    ]
    if any(cell.fused.is_close for cell in found.cells):
        lines.append(f"bars: another model costs less than {100 * CLOSE:g} % more")
    if found.unpriced:
        lines.append(f"without a price, so not in the picture: {', '.join(found.unpriced)}")
    return lines


def _panel(axes: Axes, rows: Sequence[Sequence[Cell]], *, numbers: bool) -> None:
    """The cells of one width and SRAM."""
    names = list(CONTENDERS)
    winners = np.array([[names.index(cell.fused.winner) for cell in row] for row in rows])
    colours = ListedColormap([CONTENDER_COLOURS[name] for name in names])
    look: dict[str, Any] = {"edgecolors": PAPER, "linewidth": 0.6}
    mesh = axes.pcolormesh(winners, cmap=colours, vmin=-0.5, vmax=len(names) - 0.5, **look)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bars = axes.add_collection(_close(rows))
    for inside in (mesh, bars):
        inside.set_in_layout(False)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            _cell(axes, (x, y), cell, number=numbers)


def _close(rows: Sequence[Sequence[Cell]]) -> PolyCollection:
    """Bars in the colours of runners-up that cost hardly more, on the right of their cells."""
    found = [
        (cell.fused.runner_up, (x, y))
        for y, row in enumerate(rows)
        for x, cell in enumerate(row)
        if cell.fused.is_close
    ]
    bars = [[(x + a, y + b) for a, b in _BAR] for _, (x, y) in found]
    colours = [CONTENDER_COLOURS[name] for name, _ in found]
    return PolyCollection(bars, facecolors=colours, edgecolors="none")


def _cell(axes: Axes, place: tuple[int, int], cell: Cell, *, number: bool) -> None:
    """What the winner saves, and whether the other bound has another."""
    winner, (x, y) = cell.fused.winner, place
    if not cell.bounds_agree:
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": _INK[winner], "linewidth": 0.0}
        axes.add_patch(Rectangle((x, y), 1, 1, hatch=_OTHER, **look))
    if number and winner != "dense":
        where: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}
        shown = axes.text(
            x + 0.5, y + 0.47, cell.fused.saved_text, fontsize=SMALL, color=_INK[winner], **where
        )
        if not cell.bounds_agree:
            box = {"facecolor": CONTENDER_COLOURS[winner], "edgecolor": "none", "pad": 0.8}
            shown.set_bbox(box)


def _mark_batches(axes: Axes, bits: float, batches: Sequence[int]) -> None:
    axes.set_ylabel(f"weights {bits:g} bits\nbatch")
    axes.set_yticks([y + 0.5 for y in range(len(batches))], [f"{y:,}" for y in batches])


def _mark_contexts(axes: Axes, contexts: Sequence[int], each: float) -> None:
    """A label in the middle of each cell, or of every second one and so on where room is short."""
    every = max(1, math.ceil(_LABEL / each))
    places = range(0, len(contexts), every)
    axes.set_xlabel("context in tokens")
    axes.set_xticks([x + 0.5 for x in places], [f"{contexts[x]:,}" for x in places])


def _legend(found: EnergyMap) -> list[Patch]:
    handles = [
        Patch(color=CONTENDER_COLOURS[name], label=words) for name, words in CONTENDERS.items()
    ]
    if any(not cell.bounds_agree for cell in found.cells):
        look: dict[str, Any] = {"facecolor": PAPER, "edgecolor": INK, "linewidth": 0.4}
        handles.append(Patch(hatch=_OTHER, label="another one, unfused", **look))
    return handles
