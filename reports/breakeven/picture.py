"""Saving against spike rate: where a spiking layer stops paying, and where a run stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator, PercentFormatter

from energy.compare.breakeven import Bound, BreakEven, Verdict
from energy.compare.thresholds import THRESHOLDS
from energy.words import unit_of
from hwmodels.plain import several
from reports.breakeven.case import Case, Origin, answer
from reports.kit.fit import Fit
from reports.kit.palette import BAND, FAINT, INK, MUTED, PAPER, QUIET, SPIKING
from reports.kit.parts import ACCOUNTING_NAMES, COMPONENT_NAMES
from reports.kit.style import SMALL, headline, sheet, styled

#: Lines of blocks and model, told apart by dashes.
_LINES: tuple[dict[str, Any], ...] = (
    {"color": QUIET, "linestyle": "-", "linewidth": 3.0},
    {"color": INK, "linestyle": (0, (4, 2)), "linewidth": 1.2},
    {"color": INK, "linestyle": (0, (1, 1.3)), "linewidth": 1.2},
)
_MARKERS = {"qkv": "o", "scores": "s", "mix": "^", "proj": "D", "ffn_up": "v", "ffn_down": "P"}
#: Bands of the literature: from its lowest to its highest value.
_BANDS: tuple[dict[str, Any], ...] = (
    {"color": MUTED, "linestyle": (0, (3, 1, 1, 1)), "linewidth": 1.1},
    {"facecolor": BAND, "edgecolor": "none"},
    {"facecolor": FAINT, "edgecolor": QUIET, "hatch": "....", "linewidth": 0.0},
)
#: What the marks of layers are.
_MARKED = {
    Origin.CLOSED_FORM: "break-evens of layers",
    Origin.RUN: "layers where they were measured",
    Origin.PLAN: "layers at the rates that the plan assumes",
}
#: Savings between these are drawn.
_LEAST, _MOST = -0.85, 1.05
#: Marks of an axis at most, where it has more than one for each decade.
_MOST_TICKS = 7
#: The axis of rates ends so far beyond the smallest number on it.
_BEYOND = 2.0


@styled()
def breakeven_picture(case: Case, fit: Fit = Fit.TWO) -> Figure:
    """One panel for each accounting: saving against spike rate, with the break-evens.

    A line for each block and the whole model, or for the layer where there is no more; where it
    meets zero, circles mark the break-even, hollow if it is a bound. Blue marks are layers: of a
    run at their measured rates, filled where they save; otherwise their break-evens. The bands are
    where the literature puts the break-even, on the axis of spikes per synapse above.
    """
    drawn = case.largest
    layers = [line for line in case.breakevens if line not in drawn]
    ends = _ends(case, drawn, layers)
    steps = case.ssa.counts.timesteps
    wide, across = fit is Fit.TWO, len(ACCOUNTING_NAMES)
    drawn_on = sheet(fit.inches, 3.9 if wide else 6.6)
    panels = drawn_on.body.subplots(*((1, across) if wide else (across, 1)), sharey=True)
    lowest = 0.0
    for axes, (accounting, title) in zip(panels, ACCOUNTING_NAMES.items(), strict=True):
        lines = [line for line in drawn if line.accounting == accounting]
        words = [f"{line.part.name}: {_said(line)}" for line in lines]
        _axes(axes, ends, steps, "\n".join((title, *words)))
        for line, look in zip(lines, _LINES, strict=False):
            _line(axes, line, ends, look)
        for line in layers:
            if line.accounting == accounting:
                _layer(axes, line, at_rates=case.has_rates)
        lowest = min([lowest, *(float(y) for line in axes.lines for y in line.get_ydata())])
    panels[0].set_ylim(max(_LEAST, 1.1 * lowest - 0.15), _MOST)
    middle = 0 if wide else across // 2
    panels[middle].set_ylabel("saving, 1 − SSA / ASA (below 0 it costs more)")
    handles = _legend(drawn, layers)
    columns = math.ceil(len(handles) / 3) if wide else 2
    letters: dict[str, Any] = {"ncols": columns}
    if not wide:
        letters |= {"fontsize": SMALL, "handlelength": 1.6, "columnspacing": 1.0}
        for axes in panels[:-1]:
            axes.set_xlabel("")
    drawn_on.body.legend(handles=handles, loc="outside lower center", **letters)
    counts = case.ssa.counts
    unit = unit_of(counts.phase)
    words = [counts.phase, several(counts.tokens, unit) if counts.tokens else ""]
    words += [f"{counts.attention} attention" if unit == "token" else ""]
    words += [f"dataflow {case.asa.dataflow}"]
    subtitle = ", ".join(word for word in words if word)
    headline(drawn_on, answer(case), _title(case, layers), subtitle, case.asa, case.ssa)
    return drawn_on.figure


def _axes(axes: Axes, ends: tuple[float, float], timesteps: int, title: str) -> None:
    """Spikes per slot below, per synapse above, and where the literature puts the break-even."""
    axes.set_xscale("log")
    axes.set_xlim(*ends)
    _set_ticks(axes.xaxis, ends)
    for threshold, look in zip(THRESHOLDS, _BANDS, strict=True):
        low, high = threshold.low / timesteps, threshold.high / timesteps
        if low == high:
            axes.axvline(low, zorder=0.6, **look)
        else:
            axes.axvspan(low, high, zorder=0.5, **look)
    axes.axhline(0, color=INK, linewidth=0.7, zorder=1.5)
    axes.set_xlabel("spikes per slot and time step (log.)")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    scaled = (lambda rate: rate * timesteps, lambda spikes: spikes / timesteps)
    above = axes.secondary_xaxis("top", functions=scaled)
    _set_ticks(above.xaxis, (ends[0] * timesteps, ends[1] * timesteps))
    above.set_xlabel(f"{title}\nspikes per synapse and token", loc="left", fontsize=SMALL + 0.5)


def _title(case: Case, layers: Sequence[BreakEven]) -> str:
    """What is drawn, and how many of the coloured marks lie below the axis."""
    counts = case.ssa.counts
    marks = _MARKED[case.origin]
    title = f"{case.title}, T = {counts.timesteps}"
    title += f", weights {counts.weights}" if case.has_rates else ""
    title += f"; blue marks: {marks}" if layers else ""
    outside = [line for line in layers if case.has_rates and _outside(line)]
    return title + (f" ({len(outside)} of {len(layers)} marks lie below)" if outside else "")


def _ends(
    case: Case, drawn: Sequence[BreakEven], layers: Sequence[BreakEven]
) -> tuple[float, float]:
    """The rates between which all break-evens, the literature and the run lie."""
    steps = case.ssa.counts.timesteps
    rates = [end / steps for threshold in THRESHOLDS for end in (threshold.low, threshold.high)]
    rates += [line.priced_rate for line in (*drawn, *layers) if line.priced_rate]
    if case.has_rates:
        rates += [line.busy_rate for line in layers if line.busy_rate]
    highest = max(line.part.highest_rate for line in case.breakevens)
    return min(rates) / _BEYOND, min(highest, max(rates) * _BEYOND)


def _set_ticks(axis: Axis, ends: tuple[float, float]) -> None:
    """Plain numbers on a logarithmic axis, as many as have room."""
    decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
    for digits in ((1, 2, 5), (1,)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [tick for tick in ticks if ends[0] <= tick <= ends[1] * (1 + 1e-9)]
        if len(inside) <= _MOST_TICKS:
            break
    axis.set_ticks(inside, [f"{tick:g}" for tick in inside])
    axis.set_minor_locator(NullLocator())


def _line(axes: Axes, line: BreakEven, ends: tuple[float, float], look: dict[str, Any]) -> None:
    rates = np.geomspace(*ends, 200)
    savings = [line.saving(float(rate)) for rate in rates]
    if None in savings or line.bound is Bound.UNKNOWN:
        return
    axes.plot(rates, savings, zorder=2, **look)  # type: ignore[arg-type]  # none is None
    if line.priced_rate is not None and line.priced_rate <= ends[1]:
        mark: dict[str, Any] = {"marker": "o", "markersize": 5.5, "zorder": 4}
        face = PAPER if line.bound else INK
        axes.plot(line.priced_rate, 0, **mark, markerfacecolor=face, markeredgecolor=INK)


def _said(line: BreakEven) -> str:
    if line.verdict is Verdict.ALWAYS and line.priced_rate is not None:
        return f"always wins ({line.priced_rate:.3g})"
    if line.rate is not None and line.verdict is Verdict.BELOW:
        return f"{line.rate:.3g}"
    if line.bound in (Bound.AT_MOST, Bound.AT_LEAST) and line.priced_rate is not None:
        return f"{'≤' if line.bound is Bound.AT_MOST else '≥'} {line.priced_rate:.3g}"
    return line.verdict.value


def _outside(line: BreakEven) -> bool:
    saving = line.saving(line.busy_rate)
    return line.bound is not Bound.UNKNOWN and saving is not None and saving < _LEAST


def _layer(axes: Axes, line: BreakEven, *, at_rates: bool) -> None:
    rate = line.busy_rate if at_rates else line.priced_rate
    if rate is None or line.bound is Bound.UNKNOWN or (saving := line.saving(rate)) is None:
        return
    hollow: dict[str, Any] = {"markerfacecolor": PAPER, "markeredgewidth": 1.0}
    filled = saving > 0 or not at_rates
    look = _mark(line.part.component) | ({} if filled else hollow)
    if not filled:
        look["markeredgecolor"] = look["color"]
    axes.plot(rate, saving if at_rates else 0.0, zorder=3, **look)


def _mark(component: str) -> dict[str, Any]:
    return {
        "linestyle": "",
        "marker": _MARKERS.get(component, "x"),
        "markersize": 4.2,
        "markeredgecolor": PAPER,
        "markeredgewidth": 0.4,
        "color": SPIKING,
    }


def _legend(drawn: Sequence[BreakEven], layers: Sequence[BreakEven]) -> list[Line2D | Patch]:
    names = dict.fromkeys(line.part.name for line in drawn)
    components = dict.fromkeys(line.part.component for line in layers)
    handles: list[Line2D | Patch] = [
        *(Line2D([], [], label=name, **look) for name, look in zip(names, _LINES, strict=False)),
        *(Line2D([], [], label=COMPONENT_NAMES.get(x, x), **_mark(x)) for x in components),
    ]
    for threshold, look in zip(THRESHOLDS, _BANDS, strict=True):
        ends = "-".join(dict.fromkeys(f"{end:.2f}" for end in (threshold.low, threshold.high)))
        label = f"{threshold.name}: {ends}"
        point = threshold.low == threshold.high
        handles.append(Line2D([], [], label=label, **look) if point else Patch(label=label, **look))
    return handles
