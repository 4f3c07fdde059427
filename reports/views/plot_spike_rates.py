"""Spikes per slot of each layer, by component and by time step, as a picture."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from energy import Counts
from reports.kit.fit import Fit
from reports.kit.palette import BAND, INK, PAPER, RATES
from reports.kit.parts import COMPONENT_NAMES, ORDER, layer_axis
from reports.kit.style import SMALL, layer_ticks, name_lanes, sheet, styled, titled
from reports.run.steps import StepCount

#: White is silence; darker is busier, in grey too.
_COLOURS = LinearSegmentedColormap.from_list("spikes", RATES).with_extremes(bad=BAND)
_BY_COMPONENT = "by component: what neurons send, and what arrives at the others"
_BLOCKS = {"attention": "attention", "ffn": "feed-forward"}
#: Inches: a row, the room of a title between panels, the frame; more time steps share so much.
_ROW, _TITLE, _FRAME, _STEPS = {Fit.TWO: 0.2, Fit.ONE: 0.25}, 0.3, 0.75, 1.7
#: Inches that an axis has for all layers, and that a character of a number takes.
_AXIS, _CHARACTER = {Fit.TWO: 4.6, Fit.ONE: 2.2}, 0.06

#: Spikes and slots at each depth, by row of a panel.
Sums = Mapping[str, Mapping[int | None, tuple[float, float]]]


@styled({"axes.grid": False})
def spike_rates(
    ssa: Counts,
    steps: Sequence[StepCount],
    title: str,
    subtitle: str,
    fit: Fit = Fit.TWO,
) -> Figure | None:
    """Heat maps of measured spikes per slot: layers from left to right, components downwards.

    None where nothing sends events. What a plan assumes is no measurement, and not to be drawn.

    Below them, where they were counted, the time steps of the neurons of each block. All panels
    have one scale. A component of neurons is what it sends, any other what arrives at it.
    """
    panels = _panels(ssa, steps)
    if not panels:
        return None
    depths = sorted({d for _, sums in panels for row in sums.values() for d in row}, key=_last)
    tables = [_rates(sums, depths) for _, sums in panels]
    most = max(float(np.nanmax(table)) for table in tables)
    row, wide = _ROW[fit], fit is Fit.TWO
    heights = [min(row * len(table), max(_STEPS, row * len(ORDER))) for table in tables]
    whole = _FRAME + sum(heights) + _TITLE * len(panels)
    drawn = sheet(fit.inches, whole)
    grid = drawn.body.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)
    scale = ScalarMappable(Normalize(0, most or 1), _COLOURS)
    panel = zip(grid[:, 0], panels, tables, heights, strict=True)
    for axes, (name, sums), table, height in panel:
        _draw(axes, table, [*sums], scale, fit)
        _write(axes, table, height, scale, fit)
        axes.set_title(name if wide else fill(name, 40), fontsize=None if wide else 7.5)
    layer_ticks(grid[-1, 0], depths, fit)
    grid[-1, 0].set_xlabel(layer_axis(ssa.phase))
    where: dict[str, Any] = {"pad": 0.015} if wide else {"location": "bottom", "pad": 0.02}
    bar = drawn.body.colorbar(scale, ax=list(grid[:, 0]), aspect=30, **where)
    axis = bar.ax.yaxis if wide else bar.ax.xaxis
    axis.set_major_formatter(lambda rate, _: f"{100 * rate:.4g}")
    bar.set_label("spikes per 100 slots")
    bar.outline.set_visible(False)
    titled(drawn, _answer(ssa), title, f"{subtitle}; the same on every hardware")
    return drawn.figure


def _answer(ssa: Counts) -> str:
    """How much of the network fires: of what neurons send, else of what arrives at layers."""
    rows = [row for row in ssa.layers if row.tally.slots]
    neurons = [row for row in rows if row.label.component == "neuron"] or rows
    of = "of the neurons" if neurons is not rows else "of events"
    spikes, slots = (sum(getattr(row.tally, x) for row in neurons) for x in ("spikes", "slots"))
    found = _summed((row.label.depth, None, row.tally.spikes, row.tally.slots) for row in neurons)
    rates = {depth: pair[0] / pair[1] for depth, row in found.items() for pair in row.values()}
    text = f"{_number(100 * spikes / slots, 1)} of 100 slots {of} carry a spike"
    inside = {depth: rate for depth, rate in rates.items() if depth is not None}
    if len({*inside.values()}) < 2:
        return text
    least, most = (end(inside, key=inside.__getitem__) for end in (min, max))
    return (
        f"{text}: from {_number(100 * inside[least], 1)} in layer {least} "
        f"to {_number(100 * inside[most], 1)} in layer {most}"
    )


def _last(depth: int | None) -> tuple[bool, int]:
    """What is in no layer comes last."""
    return depth is None, depth or 0


def _panels(ssa: Counts, steps: Sequence[StepCount]) -> list[tuple[str, Sums]]:
    parts = (
        ((row.label.block, row.label.component), row.label.depth, row.tally.spikes, row.tally.slots)
        for row in ssa.layers
        if row.tally.slots
    )
    found = _summed(parts)
    order = [(block, part) for block, parts_of in ORDER.items() for part in parts_of]
    known = [key for key in order if key in found]
    keys = [*known, *(key for key in found if key not in known)]
    components = {_name(key, keys): found[key] for key in keys}
    return [*[(_BY_COMPONENT, components)] * bool(components), *_by_step(steps)]


def _by_step(steps: Sequence[StepCount]) -> Iterator[tuple[str, Sums]]:
    """A panel of the neurons of each block."""
    for block in dict.fromkeys(step.label.block for step in steps):
        inside = (
            (s.step, s.label.depth, s.spikes, s.slots) for s in steps if s.label.block == block
        )
        rows = {f"{step + 1}": row for step, row in sorted(_summed(inside).items())}
        yield f"{_BLOCKS.get(block, block)} neurons, by time step", rows


def _name(key: tuple[str, str], keys: Sequence[tuple[str, str]]) -> str:
    """The component, with its block where several have one of that name."""
    block, component = key
    name = COMPONENT_NAMES.get(component, component)
    several = sum(other == component for _, other in keys) > 1
    return f"{name}, {_BLOCKS.get(block, block)}" if several else name


def _summed(rows: Iterable[tuple[Any, int | None, float, float]]) -> dict[Any, Any]:
    found: dict[Any, dict[int | None, tuple[float, float]]] = defaultdict(dict)
    for key, depth, spikes, slots in rows:
        before = found[key].get(depth, (0, 0))
        found[key][depth] = before[0] + spikes, before[1] + slots
    return found


def _rates(sums: Sums, depths: Sequence[int | None]) -> Any:
    """Spikes per slot, (rows, depths); NaN where there are no slots."""
    pairs = [[row.get(depth, (0, 0)) for depth in depths] for row in sums.values()]
    return np.array([[s / n if n else np.nan for s, n in row] for row in pairs])


def _numbers(table: Any, height: float, across: float) -> list[str]:
    """Spikes per 100 slots of each cell, as exactly as all have room for; empty if none has."""
    rows, columns = map(int, table.shape)
    rates = [float(rate) for rate in table.ravel()]
    for digits in (1, 0):
        texts = ["" if math.isnan(rate) else _number(100 * rate, digits) for rate in rates]
        longest = max(map(len, texts))
        if longest * _CHARACTER < 0.92 * across / columns and rows * 0.12 <= height:
            return texts
    return []


def _number(spikes: float, digits: int) -> str:
    if spikes >= 9.95 or not spikes:
        return f"{spikes:.0f}"
    return f"{spikes:.{digits}f}" if spikes >= 0.5 * 10**-digits else f"<{10**-digits:g}"


def _draw(axes: Axes, table: Any, names: Sequence[str], scale: ScalarMappable, fit: Fit) -> None:
    axes.pcolormesh(
        np.arange(table.shape[1] + 1) - 0.5,
        np.arange(len(table) + 1) - 0.5,
        np.ma.masked_invalid(table),
        cmap=scale.cmap,
        vmin=0,
        vmax=scale.get_clim()[1],
        edgecolors=PAPER,
        linewidth=0.6 if table.shape[1] < 14 * _AXIS[fit] else 0.2,
    )
    every = max(1, round(0.13 * len(names) / _STEPS))
    name_lanes(axes, range(0, len(names), every), names[::every], fit)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write(axes: Axes, table: Any, height: float, scale: ScalarMappable, fit: Fit) -> None:
    """The number of each cell, where there is room."""
    numbers = _numbers(table, height, _AXIS[fit])
    dark = 0.55 * (scale.get_clim()[1] or 1.0)
    for ((row, column), rate), number in zip(np.ndenumerate(table), numbers, strict=False):
        look: Any = {"color": PAPER if rate > dark else INK, "va": "center_baseline"}
        axes.text(column, row, number, fontsize=SMALL, ha="center", in_layout=False, **look)
