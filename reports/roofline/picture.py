"""What a token of decode is spent on as the context grows, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from energy.words import energy, percent
from reports.kit.answers import DIGITS, between
from reports.kit.fit import Fit
from reports.kit.palette import GROUP_COLOURS, INK, PAPER, STORED_COLOURS
from reports.kit.parts import BOUNDS, other_bound
from reports.kit.style import SMALL, beside, sheet, spread_ticks, styled, titled
from reports.roofline.roofline import Roofline, TokenCost

#: Parts from the bottom upwards: name and colour.
_PARTS = {
    "arithmetic": ("arithmetic, neurons, delivery", GROUP_COLOURS["compute"]),
    "weights": ("reading weights", STORED_COLOURS["weights"]),
    "kv_cache": ("KV cache", STORED_COLOURS["kv_cache"]),
    "other_traffic": ("activations, spikes, state", STORED_COLOURS["other_traffic"]),
}
_SIDES = {"asa": "analog (ASA)", "ssa": "spiking (SSA)"}
_CROSSING: dict[str, Any] = {"color": INK, "linewidth": 1.0, "linestyle": (0, (1, 1.2))}
#: Labels of contexts are at least so far apart, as a share of the axis.
_APART = {Fit.TWO: 0.21, Fit.ONE: 0.34}


@styled({"axes.grid": False})
def roofline_picture(roofline: Roofline, fit: Fit = Fit.TWO) -> Figure:
    """Shares of a token's bill against context: analog above spiking, a column for each batch.

    Reading weights is shared by the sequences of a batch, the KV cache is not: a dotted line marks
    the context at which it costs as much. Shares are at the bound of the profile; above each panel
    stands what a token costs at the shortest and the longest context, there at both bounds.
    """
    batches, wide = roofline.batches, fit is Fit.TWO
    rows, columns = (len(_SIDES), len(batches)) if wide else (len(batches), len(_SIDES))
    drawn = sheet(fit.inches, 4.1 if wide else 0.7 + 1.7 * rows)
    panels = drawn.body.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for row, variant in zip(panels if wide else panels.T, _SIDES, strict=True):
        for axes, batch in zip(row, batches, strict=True):
            _panel(axes, roofline, variant, batch, fit)
        if wide:
            row[0].set_ylabel(f"{_SIDES[variant]}\nshare of a token's bill")
    for row in [] if wide else panels:
        row[0].set_ylabel("share of a token's bill")
    panels[0, 0].set_ylim(0, 1)
    panels[0, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    words = "context in tokens{}(logarithmic)".format(" " if wide else "\n")
    for axes in panels[-1]:
        axes.set_xlabel(words)
    drawn.body.legend(handles=_legend(roofline), loc="outside lower center", ncols=3 if wide else 1)
    titled(drawn, _answer(roofline), *_about(roofline))
    return drawn.figure


def _about(roofline: Roofline) -> list[str]:
    lines = [
        f"{roofline.title}; spike rates {roofline.rates}",
        f"{roofline.profile.title}; decode, 1 new token per sequence, {roofline.dataflow}, "
        f"{roofline.profile.fusion}",
    ]
    if missing := sorted({op for cost in roofline.costs for op in cost.unpriced}):
        lines.append(f"without a price, so not in the picture: {', '.join(missing)}")
    return lines


def _answer(roofline: Roofline) -> str:
    """What share is memory at the longest context, and what the spiking token saves there."""
    batches = list(dict.fromkeys((roofline.batches[0], roofline.batches[-1])))
    ends = [roofline.curve("asa", batch)[-1] for batch in batches]
    where = f"At context {ends[0].context:,}"
    if any(cost.arithmetic is None for cost in roofline.costs):
        return f"{where} a token's arithmetic has no price: shares of memory alone"
    shares = [f"{percent(x.memory / x.energy, DIGITS)} at batch {x.batch}" for x in ends]
    saved = [f"{between(*_saved(roofline, batch))} at batch {batch}" for batch in batches]
    return (
        f"{where} memory is {', '.join(shares)} of an analog token; "
        f"the spiking one {', '.join(saved)}"
    )


def _saved(roofline: Roofline, batch: int) -> tuple[float, float]:
    """What the spiking token saves at the longest context: fused, unfused."""
    ends = []
    for bound in BOUNDS:
        asa, ssa = (roofline.curve(variant, batch, bound)[-1] for variant in _SIDES)
        ends.append(1 - ssa.energy / asa.energy)
    return ends[0], ends[1]


def _panel(axes: Axes, roofline: Roofline, variant: str, batch: int, fit: Fit) -> None:
    curve = roofline.curve(variant, batch)
    shown = [cost for cost in curve if _is_regular(cost, curve)]
    axes.set_xscale("log", base=2)
    contexts = [cost.context for cost in shown]
    base = [0.0] * len(shown)
    for part, (_, colour) in _PARTS.items():
        tops = [
            low + (getattr(cost, part) or 0.0) / cost.energy if cost.energy else low
            for low, cost in zip(base, shown, strict=True)
        ]
        if tops != base:
            axes.fill_between(contexts, base, tops, color=colour, linewidth=0)
        base = tops
    if (at := roofline.crossings.get((variant, batch))) is not None:
        _cross(axes, at, contexts[-1])
    axes.set_xlim(1, contexts[-1])
    powers = [4**power for power in range(contexts[-1].bit_length() // 2, 0, -1)]
    spread_ticks(axes, {x: f"{x:,}" for x in (contexts[-1], 1, *powers)}, _APART[fit])
    first, last = (energy(cost.energy, 3) for cost in (curve[0], curve[-1]))
    beyond = energy(roofline.curve(variant, batch, other_bound(roofline.profile))[-1].energy, 3)
    head = f"batch {batch}: a token {first} to {last}\n({beyond} {other_bound(roofline.profile)})"
    if fit is Fit.ONE:
        head = f"{_SIDES[variant]}, batch {batch}:\n" + head.partition(": ")[2]
    axes.set_title(head, fontsize=SMALL)


def _is_regular(cost: TokenCost, curve: Sequence[TokenCost]) -> bool:
    """Whether a context is a power of two or the last one, not one at which the cache jumps.

    Right before a jump the cache leaves no room to anything else, which is true of so few contexts
    that a line to them would mislead.
    """
    return cost.context & (cost.context - 1) == 0 or cost is curve[-1]


def _cross(axes: Axes, at: int, longest: int) -> None:
    """Where the cache passes the weights."""
    axes.axvline(at, **_CROSSING)
    left = at * at > longest
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
    side: dict[str, Any] = {"ha": "right" if left else "left", "bbox": box}
    beside(axes, f"{at:,}", (at, 0.08), (-4 if left else 4, 0), **side)


def _legend(roofline: Roofline) -> list[Artist]:
    handles: list[Artist] = [
        Patch(color=colour, label=name)
        for part, (name, colour) in _PARTS.items()
        if any(getattr(cost, part) for cost in roofline.costs)
    ]
    if roofline.crossings:
        handles.append(Line2D([], [], label="KV cache costs more than weights from", **_CROSSING))
    return handles
