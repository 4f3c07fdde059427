"""Energy per token of a server over the sequences that it holds side by side, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reports.kit.palette import ANALOG, SPIKING
from reports.kit.style import COLUMN_WIDTH, sheet, spread_ticks, styled, titled
from reports.serving.batches import about
from reports.serving.served import Server


@styled({"axes.grid.axis": "both"})
def batch_picture(servers: Sequence[Server]) -> Figure:
    """One curve, between what 90 % of measurements would lie, and that of spikes where known.

    Args:
        servers: On one hardware, by their batch.
    """
    drawn = sheet(COLUMN_WIDTH, 2.6)
    axes = drawn.body.subplots()
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = [server.step.sequences for server in servers]
    found = [server.prediction.energy_j for server in servers]
    values = [bounded.value for bounded in found]
    ends = [(x.low, x.high) for x in found if x.low is not None and x.high is not None]
    handles: list[Line2D | Patch] = []
    if len(ends) == len(found):
        low, high = ([end[side] for end in ends] for side in (0, 1))
        axes.fill_between(sizes, low, high, color=ANALOG, alpha=0.15, linewidth=0)
    look: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linewidth": 1.3}
    handles += axes.plot(sizes, values, color=ANALOG, label="analog, predicted", **look)
    if len(ends) == len(found):
        handles.append(Patch(color=ANALOG, alpha=0.15, label="90 % of measurements"))
    if all(server.variants for server in servers):
        spiking = [server.variants[0].energy_j for server in servers]
        name = "spiking, each step a product"
        handles += axes.plot(sizes, spiking, color=SPIKING, linestyle="--", label=name, **look)
    axes.set_xlim(min(sizes) / 1.1, max(sizes) * 1.1)
    marks = dict.fromkeys((min(sizes), max(sizes), *sizes))
    spread_ticks(axes, {size: f"{size:,}" for size in marks}, apart=0.16)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("sequences side by side (log.)", fontsize=7.5)
    axes.set_ylabel("energy per token (J, log.)", fontsize=7.5)
    drawn.body.legend(handles=handles, loc="outside lower center", ncols=1)
    said = [f"{values[i]:.3g} J at batch {sizes[i]:,}" for i in (0, -1)]
    titled(drawn, f"A token of an answer costs {', '.join(said)}", about(servers[0]))
    return drawn.figure
