"""How a training went, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from reports.kit.palette import INK, QUIET
from reports.kit.style import PAGE_WIDTH, sheet, styled, titled
from reports.training.metrics import MetricsRow

#: Scalars of an objective that get a panel, with the name of its axis.
BELOW = {"spike_rate": "spikes per slot", "events_per_mac": "events per MAC"}
#: Steps on either side that the smooth line is a mean over, as a share of all of its stage.
SMOOTHING = 0.01


@styled()
def training_picture(rows: Sequence[MetricsRow], title: str) -> Figure:
    """Loss against tokens, raw and smooth; below, how the spikes went, where there are any.

    Stages stand side by side, each with axes of its own: their losses are different quantities.
    """
    stages = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row.stage)]
    below = [name for name in BELOW if any(name in row.scalars for row in rows)]
    drawn = sheet(PAGE_WIDTH, 2.7 + 1.5 * len(below))
    names = ["loss", *below]
    ratios = [2, *(1 for _ in below)]
    grid = drawn.body.subplots(
        len(names), len(stages), sharex="col", squeeze=False, height_ratios=ratios
    )
    for panels, (stage, group) in zip(grid.T, stages, strict=True):
        _draw_stage(panels, group, names)
        panels[0].xaxis.set_major_locator(MaxNLocator(5 if len(stages) == 1 else 3))
        if len(stages) > 1:
            panels[0].set_title(stage)
    for panels, name in zip(grid, names, strict=True):
        next(panel for panel in panels if panel.has_data()).set_ylabel(BELOW.get(name, name))
    drawn.body.align_ylabels(grid[:, 0])
    handles, labels = grid[0, 0].get_legend_handles_labels()
    drawn.body.legend(handles, labels, loc="outside lower center", ncols=2)
    titled(drawn, _answer(stages), title)
    return drawn.figure


def _answer(stages: Sequence[tuple[str, list[MetricsRow]]]) -> str:
    """From where to where the loss went in each stage, smoothed."""
    said = []
    for name, rows in stages:
        found = [row.scalars["loss"] for row in rows if "loss" in row.scalars]
        if found:
            smooth = _smooth(found, int(SMOOTHING * len(rows)))
            where = f"Stage {name}: loss" if len(stages) > 1 else "Loss"
            said.append(f"{where} {smooth[0]:.3f} to {smooth[-1]:.3f}")
    return "; ".join(said) or "No loss was measured"


def _draw_stage(panels: Sequence[Axes], rows: Sequence[MetricsRow], names: list[str]) -> None:
    """What one stage measured, downwards; a panel without anything is not seen."""
    for panel, name in zip(panels, names, strict=True):
        pairs = [(row.tokens, row.scalars[name]) for row in rows if name in row.scalars]
        panel.set_visible(bool(pairs))
        if pairs:
            x, y = zip(*pairs, strict=True)
            panel.plot(x, y, color=QUIET, linewidth=0.4, label="each step")
            smooth = _smooth(y, int(SMOOTHING * len(rows)))
            panel.plot(x, smooth, color=INK, linewidth=1.4, label="smoothed")
    lowest = [panel for panel in panels if panel.has_data()][-1]
    lowest.tick_params(labelbottom=True)  # where the panels below it are empty
    lowest.set_xlabel("tokens")
    panels[0].xaxis.set_major_formatter(EngFormatter(sep=" "))


def _smooth(values: Sequence[float], reach: int) -> list[float]:
    """Mean over `reach` steps on either side, fewer at the ends: it does not lag."""
    parts = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(part) / len(part) for part in parts]
