"""Energy per token over the batch, with rows of weights gathered and without, as a picture."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from energy.words import energy_unit
from reports.kit.answers import saved
from reports.kit.palette import ANALOG, PAPER, QUIET, SPIKING
from reports.kit.style import COLUMN_WIDTH, SMALL, sheet, styled, titled
from reports.roofline.roofline import Roofline, TokenCost

#: Analog, spiking, spiking with gathered rows.
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": ANALOG, "linewidth": 2.8},
    {"color": SPIKING, "linewidth": 1.4, "linestyle": (0, (5, 1.6))},
    {"color": SPIKING, "linewidth": 1.4, "marker": "o", "markersize": 3.5},
)
_NAMES = {"asa": "analog", "ssa": "spiking"}
#: Below this share of the energy of weights, gathered rows of them save nothing.
_GONE = 0.01


def curves(roofline: Roofline) -> dict[tuple[str, str], list[TokenCost]]:
    """Costs over the batch by variant and dataflow, the gathered one last."""
    found: dict[tuple[str, str], list[TokenCost]] = {}
    for dataflow, cost in roofline.over_batch:
        found.setdefault((cost.variant, dataflow), []).append(cost)
    return found


def gone_at(roofline: Roofline) -> int | None:
    """The first batch at which gathering saves less than 1 % of what reading weights costs.

    What it saves of the cache stays, since each sequence has its own.
    """
    *_, plain, gathered = curves(roofline).values()
    for whole, less in zip(plain, gathered, strict=True):
        if (less.weights or 0.0) >= (1 - _GONE) * (whole.weights or 0.0):
            return whole.batch
    return None


@styled({"axes.grid.axis": "both"})
def batch_picture(roofline: Roofline) -> Figure:
    """Both models as the dataflow has it, and the spiking one that fetches what events need."""
    drawn = sheet(COLUMN_WIDTH, 2.8)
    axes = drawn.body.subplots()
    found = curves(roofline)
    costs = [cost for curve in found.values() for cost in curve]
    scale, unit = energy_unit(max(cost.energy for cost in costs))
    for ((variant, dataflow), curve), look in zip(found.items(), _LOOKS, strict=True):
        values = [cost.energy / scale for cost in curve]
        label = f"{_NAMES[variant]}, {dataflow}"
        axes.plot([cost.batch for cost in curve], values, label=label, **look)
    batches = sorted({cost.batch for cost in costs})
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(batches, [f"{batch}" for batch in batches])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("sequences side by side (log.)")
    axes.set_ylabel(f"energy per token ({unit}, log.)")
    if (gone := gone_at(roofline)) is not None:
        axes.axvline(gone, color=QUIET, linestyle=":", zorder=0)
        words = f"weights: less than 1 %\nsaved from batch {gone} (dotted)"
        # The curves fall, so that this corner is free.
        axes.text(
            0.03,
            0.04,
            words,
            transform=axes.transAxes,
            fontsize=SMALL,
            va="bottom",
            backgroundcolor=PAPER,
        )
    drawn.body.legend(fontsize=SMALL, loc="outside lower center", ncols=1)
    titled(
        drawn,
        _answer(roofline),
        f"{roofline.title}; spike rates {roofline.rates}; decode at context {costs[0].context:,}",
        f"{roofline.profile.title}; {roofline.profile.fusion}, tokens independent",
    )
    return drawn.figure


def _answer(roofline: Roofline) -> str:
    """What gathering saves of a spiking token, with the fewest and the most sequences."""
    *_, plain, gathered = curves(roofline).values()
    ends = [(plain[i], gathered[i]) for i in (0, -1)]
    said = [
        f"{saved(1 - less.energy / more.energy)} at batch {more.batch}".replace(
            "costs the same", "nothing"
        )
        for more, less in ends
    ]
    return (
        f"Fetching only the rows that events need {', '.join(said)}, of a spiking token "
        f"({roofline.profile.fusion})"
    )
