"""Measured energy over predicted energy, of models left out, as a picture."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from energy.serving.fit import Fit
from energy.words import percent
from hwmodels.wholechip import Kind
from reports.kit.palette import BAND, INK, MUTED, PAPER, QUIET
from reports.kit.style import PAGE_WIDTH, SMALL, sheet, styled, titled

_LOOKS: dict[Kind, dict[str, Any]] = {
    Kind.DENSE: {"color": INK, "marker": "o"},
    Kind.EXPERTS: {"color": QUIET, "marker": "^"},
    Kind.RECURRENT: {"color": MUTED, "marker": "s", "markerfacecolor": PAPER},
}
_NAMES = {
    Kind.DENSE: "dense",
    Kind.EXPERTS: "mixture of experts",
    Kind.RECURRENT: "with recurrent layers",
}


@styled({"axes.grid.axis": "both"})
def fit_picture(fit: Fit, title: str, source: str) -> Figure:
    """Left what was measured over what was predicted, right their ratio over the batch."""
    drawn = sheet(PAGE_WIDTH, 3.0)
    scatter, ratios = drawn.body.subplots(1, 2)
    errors = []
    target = fit.energy
    points, off = target.sample.points, target.left_out.tolist()
    ends = target.interval
    for kind, look in _LOOKS.items():
        chosen = [(x, ratio) for x, ratio in zip(points, off, strict=True) if x.kind is kind]
        if not chosen:
            continue
        error = target.error(kind=kind)
        errors.append(f"{percent(error, 1)} ({_NAMES[kind]})")
        label = f"{_NAMES[kind]} ({percent(error, 1)})"
        look = look | {"linestyle": "none", "markersize": 3, "label": label}
        predicted = [ratio * x.energy_j for x, ratio in chosen]
        scatter.plot(predicted, [x.energy_j for x, _ in chosen], **look)
        batches = [x.step.sequences for x, _ in chosen]
        ratios.plot(batches, [1 / max(ratio, 1e-3) for _, ratio in chosen], **look)
    low, high = _limits([*(x.energy_j for x in points)])
    scatter.plot([low, high], [low, high], color=QUIET, linewidth=0.8, zorder=0)
    scatter.set_yscale("log")
    for axes in (scatter, ratios):
        axes.set_xscale("log")
    for axis in (scatter.xaxis, scatter.yaxis, ratios.xaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    for axis in (scatter.xaxis, scatter.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3)))
    scatter.set_xlabel("predicted, model left out (J per token, log.)")
    scatter.set_ylabel("measured (J per token, log.)")
    held = f"90 % of one more model: {ends[0]:.2f} to {ends[1]:.2f}"
    band = ratios.axhspan(*ends, color=BAND, zorder=0, label=held)
    ratios.axhline(1.0, color=QUIET, linewidth=0.8, zorder=0)
    ratio = [1 / max(x, 1e-3) for x in off]
    ratios.set_ylim(0.95 * min(ratio), 1.2 * max(ratio))
    handles = [*scatter.get_legend_handles_labels()[0], band]
    drawn.body.legend(handles=handles, fontsize=SMALL, loc="outside lower center", ncols=4)
    ratios.set_xlabel("sequences side by side (log.)")
    ratios.set_ylabel("measured / predicted")
    answer = f"Energy of a token of a model left out is off by {', '.join(errors)}"
    titled(drawn, answer, title, source)
    return drawn.figure


def _limits(values: list[float]) -> tuple[float, float]:
    return min(values) * 0.8, max(values) * 1.25
