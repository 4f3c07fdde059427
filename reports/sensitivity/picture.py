"""Which constant of the hardware moves a saving most, as a picture."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from energy.compare.ranges import Origin, UncertainConstant
from energy.compare.sensitivity import Sensitivity, Swing
from hwmodels.diff import size
from hwmodels.plain import several
from reports.kit.answers import saved
from reports.kit.palette import BAND, HIGH, INK, LOW, MUTED, PAPER, QUIET
from reports.kit.parts import ACCOUNTING_NAMES, BOUNDS
from reports.kit.style import PAGE_WIDTH, SMALL, beside, headline, sheet, spelled, styled
from reports.sensitivity.study import INDEPENDENT, Study, part_name, range_text, value_text

_BAR, _PANEL, _AROUND = 0.26, 0.5, 0.95  # inches: a row, what a panel needs else, the frame
#: Bars of a panel at most: three panels fit a page.
_MOST = 7
#: A bar shorter than this share of the longest one is no picture of anything.
_VISIBLE = 0.01
#: Units of numbers whose range is said in values, and how the unit is said.
_WHOLE = {"uses": " uses", "bytes": "", "bits": " bits"}
#: Characters of a name; those of memory levels are as long as their author likes.
_NAME = 24


@styled({"axes.grid.axis": "x"})
def tornado(study: Study, block: str | None) -> Figure:
    """One panel per accounting: the saving with one constant at either end of its range.

    Behind the bars lies the interval in which the saving is if all constants vary at once.
    """
    results = study.of(block)
    # A row per bar, one for the constants without a bar, one for the value of the saving.
    rows = [len(_visible(x)) + (_moving(x) > len(_visible(x))) + 1 for x in results.values()]
    height = _AROUND + _PANEL * len(rows) + _BAR * sum(rows)
    drawn = sheet(PAGE_WIDTH, height)
    panels = drawn.body.subplots(len(results), 1, sharex=True, squeeze=False, height_ratios=rows)
    grid = panels[:, 0]
    for axes, (accounting, result) in zip(grid, results.items(), strict=True):
        _panel(axes, result, ACCOUNTING_NAMES[accounting])
    grid[-1].set_xlabel(f"saving on the {part_name(block)} (below 0 it costs more)")
    _set_limits([*grid], list(results.values()))
    drawn.body.legend(handles=_legend(), loc="outside lower center", ncols=4)
    answer = _answer(results)
    headline(drawn, answer, study.title, _subtitle(study, results), study.asa, study.ssa)
    return drawn.figure


def _answer(results: Mapping[str, Sensitivity]) -> str:
    """Which constant moves the saving most, on the whole bill if it is known, and how far."""
    accounting = next((x for x in BOUNDS if x in results), next(iter(results)))
    swing = results[accounting].swings[0]
    low, high = sorted((swing.at_low, swing.at_high))
    name = _name(swing.constant.name)
    return (
        f"{name[0].upper()}{name[1:]} moves the saving most: from where it {saved(low)} to where "
        f"it {saved(high)} ({ACCOUNTING_NAMES[accounting]})"
    )


def _moving(result: Sensitivity) -> int:
    """How many constants move the saving."""
    return sum(swing.span > 0 for swing in result.swings)


def _visible(result: Sensitivity) -> tuple[Swing, ...]:
    """The constants that get a bar."""
    least = _VISIBLE * result.swings[0].span
    return tuple(swing for swing in result.swings[:_MOST] if swing.span > least)


def _panel(axes: Axes, result: Sensitivity, accounting: str) -> None:
    saving, spread = result.nominal.saving, result.interval
    assert saving is not None
    assert spread is not None
    axes.axvspan(spread.low, spread.high, color=BAND, linewidth=0, zorder=0)
    axes.axvline(spread.median, color=MUTED, linewidth=0.9, linestyle=":", zorder=1)
    axes.axvline(saving, color=INK, linewidth=0.9, zorder=3)
    percent = _percents(spread.high - spread.low)
    bars = _visible(result)
    labels = [_label(swing.constant) for swing in bars]
    for place, swing in enumerate(bars):
        _bar(axes, place, swing, saving)
    if rest := result.swings[len(bars) : _moving(result)]:
        several = len(rest) > 1
        labels.append(
            f"{len(rest)} more constant{'s' * several}:\n"
            f"at most {100 * rest[0].span:.2g} points{' each' * several}"
        )
    axes.text(
        saving,
        len(labels),
        percent(saving),
        fontweight="bold",
        ha="center",
        va="center",
        zorder=4,
        bbox={"facecolor": PAPER, "edgecolor": INK, "linewidth": 0.6, "pad": 2},
    )
    axes.set_yticks(range(len(labels)), labels, fontsize=SMALL)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(labels) + 0.5, -0.5)
    axes.set_title(
        f"{accounting}: saving {percent(saving)}; samples: {percent(spread.low)} to "
        f"{percent(spread.high)}, median {percent(spread.median)}"
    )


def _percents(span: float) -> Callable[[float], str]:
    """How savings are written that differ by about `span`: to a tenth of it, or of a point."""
    decimals = max(1, 1 - math.floor(math.log10(100 * span))) if span else 1
    return lambda saving: f"{saving:.{decimals}%}"


def _bar(axes: Axes, place: int, swing: Swing, saving: float) -> None:
    constant = swing.constant
    # The constant may be at an end of its range already.
    ends = [
        (end, colour, _end_text(constant, factor))
        for end, colour, factor in (
            (swing.at_low, LOW, constant.low),
            (swing.at_high, HIGH, constant.high),
        )
        if factor != 1
    ]
    # The longer one first, where both go the same way.
    for end, colour, _ in sorted(ends, key=lambda x: -abs(x[0] - saving)):
        axes.barh(place, end - saving, left=saving, height=0.62, color=colour, zorder=2)
    for right in (False, True):
        side = [(end, text) for end, _, text in ends if (end > saving) is right]
        if side:
            furthest = max((end for end, _ in side), key=lambda end: abs(end - saving))
            words = " or ".join(text for _, text in side)
            where = {"ha": "left" if right else "right", "zorder": 4}
            beside(axes, words, (furthest, place), (3 if right else -3, 0), **where)


def _set_limits(grid: Sequence[Axes], results: Sequence[Sensitivity]) -> None:
    """One scale for all panels, with room for the values at the ends of the bars."""
    ends = [
        end
        for result in results
        for end in (
            *(end for swing in result.swings for end in (swing.at_low, swing.at_high)),
            *((result.interval.low, result.interval.high) if result.interval else ()),
        )
    ]
    low, high = min(ends), max(ends)
    room = 0.13 * (high - low) or 0.01
    grid[0].set_xlim(low - room, high + room)
    for axes in grid:
        if low - room < 0 < high + room:  # break-even
            axes.axvline(0, color=QUIET, linewidth=0.9, zorder=1)
        axes.tick_params(axis="x", labelbottom=True)
    grid[0].xaxis.set_major_locator(MaxNLocator(8))
    grid[0].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.4g}%"))


def _label(constant: UncertainConstant) -> str:
    """The constant and its value; below, how it is known and who says how far it may be off."""
    value = f"{value_text(constant)} {constant.unit}"
    ends = f"x {constant.low:.3g} to {constant.high:.3g}"
    if constant.unit in _WHOLE:
        value = f"{_end_text(constant, 1.0)}{_WHOLE[constant.unit]}"
        ends = " to ".join(_end_text(constant, x) for x in (constant.low, constant.high))
        ends += _WHOLE[constant.unit]
    if constant.ways:
        ends = range_text(constant)
    return f"{_name(constant.name)}: {value}\n{constant.evidence}; {ends}, {constant.origin}"


def _name(name: str) -> str:
    kind, _, what = name.partition(".")
    words = textwrap.shorten(spelled(what), _NAME, placeholder="...")
    return {
        "prices": words,
        "memory": words,
        "static_power": "static power",
        "throughput": f"{words} throughput",
        "capacity": f"{words} capacity",
        "delivery": f"{words} per fetch" if what else "fetch beside the adders",
        "widths": f"width of {words}",
        "encoding": "spikes in memory",
    }[kind]


def _end_text(constant: UncertainConstant, factor: float) -> str:
    if constant.ways:
        return constant.ways[round(factor)]
    if len(constant.values) > 1:
        return f"x {factor:.3g}"
    value = constant.values[0] * factor
    if constant.unit == "bytes":
        return size(round(value))
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _subtitle(study: Study, results: dict[str, Sensitivity]) -> str:
    swings = [swing for result in results.values() for swing in result.swings if swing.span]
    origins = {swing.constant.origin for swing in swings}
    grades = f"'our choice': {Origin.GRADE.definition}" if Origin.GRADE in origins else ""
    words = (
        f"dataflow {study.ssa.dataflow}",
        f"{several(study.samples, 'sample')}, seed {study.seed}",
    )
    return "; ".join(filter(None, (*words, INDEPENDENT, grades)))


def _legend() -> list[Patch | Line2D]:
    return [
        Patch(color=LOW, label="constant at its lowest"),
        Patch(color=HIGH, label="constant at its highest"),
        Patch(color=BAND, label="all drawn at once: 5 to 95% of the samples"),
        Line2D([], [], color=MUTED, linewidth=0.8, linestyle=":", label="median"),
    ]
