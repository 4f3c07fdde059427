"""The bill of each phase, per token, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from energy import Estimate, saving
from energy.bill.both import dataflow_of
from energy.words import energy
from reports.kit.answers import between
from reports.kit.fit import Fit
from reports.kit.palette import GROUP_COLOURS, INK, MUTED, PAPER, SPIKING, STATIC
from reports.kit.parts import BOUNDS, other_bound
from reports.kit.style import (
    SMALL,
    beside,
    headline,
    sheet,
    spelled,
    styled,
)
from reports.views.phases import Part, PhaseBill, part_name, parts

#: Between a line of the bill and its label.
_LINE: Any = {"arrowstyle": "-", "lw": 0.4, "color": MUTED, "relpos": (0, 0.5)}
_SHORT = {
    "compute": "arithmetic",
    "scalar": "non-linear",
    "neuron": "neurons",
    "routing": "routing",
    "delivery": "delivery",
}
#: The sum at the other bound.
_OTHER: dict[str, Any] = {"color": INK, "linewidth": 1.3, "solid_capstyle": "butt", "zorder": 3}
#: Labels are at least so far apart, as a share of the axis.
_APART = 0.062
#: Left edges of the two bars, and their width; labels stand to the right of each.
_EDGES, _WIDTH = (0.06, 1.06), 0.26


@styled()
def per_phase(bills: Sequence[PhaseBill], title: str, subtitle: str, fit: Fit = Fit.TWO) -> Figure:
    """The bill of a token of each phase, analog beside spiking, stacked by its lines.

    All panels have one scale: shares of the bill of the analog model in that phase (of the spiking
    one where the analog one has no sum); energies are written. Bars are at the bound of the
    profile, a line marks the sum at the other one. A whole request has no picture of its own.

    Each line has its name and share of its bar beside it, so that no colour need be told from
    another.
    """
    shown = [bill for bill in bills if bill.phase != "request"]
    sides = [side for bill in shown for side in (bill.asa, bill.ssa)]
    across = min(len(shown), 1 if fit is Fit.ONE else 2)
    drawn = sheet((Fit.ONE, Fit.TWO)[across - 1].inches, 3.1 * -(-len(shown) // across))
    panels = drawn.body.subplots(-(-len(shown) // across), across, sharey=True, squeeze=False).flat
    top = 1.2 * max([1.0, *(end for bill in shown for end in _heights(bill))])
    panels[0].set_ylim(0, top)
    for axes, bill in zip(panels, shown, strict=True):
        _panel(axes, bill, top)
    for axes in panels[::across]:
        axes.set_ylabel("share of the analog bill per token")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    first, last = bills[0], bills[-1]
    batch, flow = first.asa.counts.batch, dataflow_of(first.asa, first.ssa)
    about = f"{subtitle}, batch {batch}, {flow}, bars {first.asa.profile.fusion}"
    if any(side.static_pj is None for side in sides):
        about += "; static energy unpriced"
    headline(drawn, _answer(shown), title, about, last.asa, last.ssa)
    return drawn.figure


def _answer(bills: Sequence[PhaseBill]) -> str:
    """What a token of each phase saves, at both bounds."""
    said = []
    for bill in bills:
        ends = [saving(bill.asa, bill.ssa, bound).saving for bound in BOUNDS]
        if None in ends:
            return "What is saved is not known, as MACs or ACs have no price"
        said.append(f"of {bill.phase} {between(ends[0], ends[1])}")
    return f"A spiking token {'; one '.join(said)}"


def _whole(bill: PhaseBill) -> float:
    """What is 100 % of a panel, in picojoules."""
    known = [side.energy_pj() for side in (bill.asa, bill.ssa) if not side.lacks_compute]
    return next((pj for pj in known if pj), 0.0)


def _heights(bill: PhaseBill) -> list[float]:
    """The sums of a panel at both bounds, as shares."""
    whole, beyond = _whole(bill), bill.under(other_bound(bill.asa.profile))
    sides = (bill.asa, bill.ssa, beyond.asa, beyond.ssa)
    return [side.energy_pj() / whole for side in sides if whole and not side.lacks_compute]


def _panel(axes: Axes, bill: PhaseBill, top: float) -> None:
    sides, other = (bill.asa, bill.ssa), other_bound(bill.asa.profile)
    beyond, whole = bill.under(other), _whole(bill)
    for side, there, x in zip(sides, (beyond.asa, beyond.ssa), _EDGES, strict=True):
        if side.lacks_compute or not whole:
            _say_unpriced(axes, side, x, top)
            continue
        lines = [(p, p.pj / whole) for p in parts(side)[:-1] if p.pj]
        total = _bar(axes, lines, x)
        end = there.energy_pj() / whole
        axes.plot([x - 0.03, x + _WIDTH + 0.03], [end, end], **_OTHER)
        said: dict[str, Any] = {"ha": "left", "va": "baseline", "fontsize": SMALL + 0.5}
        words = "\n".join(
            f"{energy(bill.per_token(one.energy_pj()), 3)} {one.profile.fusion}"
            for one in (side, there)
        )
        beside(axes, words, (x, max(total, end)), (0, 7), **said)
        _labels(axes, lines, x + _WIDTH, top)
    axes.set_xticks([x + _WIDTH / 2 for x in _EDGES], ["analog (ASA)", "spiking (SSA)"])
    axes.get_xticklabels()[1].set_color(SPIKING)
    axes.set_xlim(0, 2)
    axes.tick_params(axis="x", length=0, pad=8)  # clear of the 0 % of the axis beside it
    axes.set_title(f"{bill.phase}, new tokens per sequence: {bill.tokens:,}")
    axes.grid(axis="x", visible=False)


def _bar(axes: Axes, lines: list[tuple[Part, float]], x: float) -> float:
    """One bar; its height."""
    look: dict[str, Any] = {"edgecolor": PAPER, "linewidth": 0.4, "align": "edge"}
    base = 0.0
    for part, height in lines:
        axes.bar(x, height, _WIDTH, bottom=base, color=_colour(part.name), **look)
        base += height
    return base


def _colour(name: str) -> str:
    return GROUP_COLOURS.get(name.partition(":")[0], STATIC)


def _labels(axes: Axes, lines: list[tuple[Part, float]], edge: float, top: float) -> None:
    """Name and share of each line beside its bar, joined to it, none upon another."""
    total = sum(height for _, height in lines)
    ends = list(accumulate(height for _, height in lines))
    middles = [end - height / 2 for end, (_, height) in zip(ends, lines, strict=True)]
    places = _spread(middles, _APART * top, total)
    for (part, height), middle, place in zip(lines, middles, places, strict=True):
        name = _SHORT.get(part.name) or spelled(part_name(part.name))
        share = 100 * height / total
        axes.annotate(
            f"{name} {f'{share:.1f}' if share >= 0.1 else '<0.1'} %",
            (edge, middle),
            xytext=(edge + 0.07, place),
            fontsize=SMALL,
            va="center",
            arrowprops={**_LINE, "shrinkA": 0, "shrinkB": 0},
        )


def _spread(middles: list[float], apart: float, top: float) -> list[float]:
    """Increasing places from 0, so far apart, near the increasing middles and below the top.

    Where there is no room for that, they go beyond the top.
    """
    places: list[float] = []
    for middle in middles:
        places.append(max(middle, places[-1] + apart if places else apart / 2))
    limit = max(top, apart * (len(places) - 0.5))
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit)
        limit = places[i] - apart
    return places


def _say_unpriced(axes: Axes, side: Estimate, x: float, top: float) -> None:
    """Say what a missing bar lacks, so that it is not read as zero."""
    missing = [op.value.upper() for op in side.unpriced if op.group == "compute"]
    text = f"no sum:\n{', '.join(missing)} unpriced"
    axes.text(x, top / 2, text, va="center", fontsize=SMALL)
