"""How a training went, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from reports.kit.style import PAGE_WIDTH, styled, titled
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
    figure = Figure(figsize=(PAGE_WIDTH, 2.9 + 1.5 * len(below)), layout="constrained")
    names = ["loss", *below]
    ratios = [2, *(1 for _ in below)]
    grid = figure.subplots(
        len(names), len(stages), sharex="col", squeeze=False, height_ratios=ratios
    )
    for panels, (stage, group) in zip(grid.T, stages, strict=True):
        _draw_stage(panels, group, names)
        panels[0].xaxis.set_major_locator(MaxNLocator(5 if len(stages) == 1 else 3))
        if len(stages) > 1:
            panels[0].set_title(stage)
    for panels, name in zip(grid, names, strict=True):
        next(panel for panel in panels if panel.has_data()).set_ylabel(BELOW.get(name, name))
    figure.align_ylabels(grid[:, 0])
    grid[0, -1].legend(loc="upper right")
    titled(figure, title)
    return figure


def _draw_stage(panels: Sequence[Axes], rows: Sequence[MetricsRow], names: list[str]) -> None:
    """What one stage measured, downwards; a panel without anything is not seen."""
    for panel, name in zip(panels, names, strict=True):
        pairs = [(row.tokens, row.scalars[name]) for row in rows if name in row.scalars]
        panel.set_visible(bool(pairs))
        if pairs:
            x, y = zip(*pairs, strict=True)
            panel.plot(x, y, color="#9CCBE8", linewidth=0.7, label="each step")
            smooth = _smooth(y, int(SMOOTHING * len(rows)))
            panel.plot(x, smooth, color="#0072B2", linewidth=1.4, label="smoothed")
    lowest = [panel for panel in panels if panel.has_data()][-1]
    lowest.tick_params(labelbottom=True)  # where the panels below it are empty
    lowest.set_xlabel("tokens")
    panels[0].xaxis.set_major_formatter(EngFormatter(sep=" "))


def _smooth(values: Sequence[float], reach: int) -> list[float]:
    """Mean over `reach` steps on either side, fewer at the ends: it does not lag."""
    parts = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(part) / len(part) for part in parts]
