"""Where a spiking model departs from its analog one, and what each layer pays, as a picture."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energy import Counts
from energy.words import change
from hwmodels import HardwareProfile, Op
from reports.kit.answers import whole
from reports.kit.palette import INK, MUTED, QUIET
from reports.kit.style import PAGE_WIDTH, layer_ticks, sheet, styled, titled
from reports.quality.evaluation import Evaluation
from reports.quality.table import at_depth

#: Label, colour, marker and dashes of each line, which tell them apart in grey.
_ATTENTION = ("attention", INK, "o", "-")
_FEEDFORWARD = ("feed-forward", QUIET, "s", "-")
_RESIDUAL = ("residual stream", MUTED, "^", (0, (3, 1.2)))
_Line = tuple[str, str, str, Any]
#: With more layers than this, marks would cover the lines.
_MARKED = 40

#: How far above the highest point a break-even line may lie and still be drawn, as a factor.
_ROOM = 1.6


@styled()
def quality_picture(evaluation: Evaluation) -> Figure:
    """Cosine similarity and events per MAC of each transformer layer.

    Above, how close what each block adds, and the residual stream after both, come to those of
    the analog model. Below, events per analog MAC replaced, with the number at which each hardware
    spends as much on events as on MACs.
    """
    compared = evaluation.comparison
    depths = [layer.layer for layer in compared.layers]
    drawn = sheet(PAGE_WIDTH, 4.2)
    above, below = drawn.body.subplots(2, 1, sharex=True)
    cosines = {
        _ATTENTION: [layer.cosine_attention for layer in compared.layers],
        _FEEDFORWARD: [layer.cosine_feedforward for layer in compared.layers],
        _RESIDUAL: [layer.cosine_residual for layer in compared.layers],
    }
    for line, values in cosines.items():
        _draw(above, depths, values, line)
    above.set_title("closeness to the analog model")
    above.set_ylabel("cosine similarity")
    # A perfect model would otherwise be drawn on an axis of rounding errors.
    lowest = min((value for values in cosines.values() for value in values), default=1.0)
    span = max(1 - lowest, 1e-3)
    above.set_ylim(1 - 1.08 * span, 1 + 0.06 * span)
    _events(below, evaluation, depths)
    layer_ticks(below, depths)
    below.set_xlim(-0.5, len(depths) - 0.5)
    below.set_xlabel("transformer layer")
    for axes in (above, below):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    titled(drawn, _answer(evaluation), *_headline(evaluation))
    return drawn.figure


def _answer(evaluation: Evaluation) -> str:
    """What the conversion costs in perplexity and saves in energy on the first hardware."""
    hw, pair = next(iter(evaluation.estimates.items()))
    spent = change(evaluation.comparison.perplexity_change)
    return f"Perplexity {spent}; on {hw} the spiking model {whole(*pair)}"


def break_even(counts: Counts, profile: HardwareProfile) -> float | None:
    """Events per MAC at which the events of a model cost what the MACs cost.

    Where events differ in price, the mean over those that were counted is taken.

    Returns:
        None where there are no events, or a MAC or an event has no price or is free.
    """
    mac_pj = profile.energy_pj(Op.MAC)
    events = {op: counts.total(op) for op in (Op.AC, Op.SHIFT_AC) if counts.total(op)}
    prices = {op: profile.energy_pj(op) for op in events}
    events_pj = sum((prices[op] or 0.0) * n for op, n in events.items())
    if not mac_pj or not events_pj or None in prices.values():
        return None
    return mac_pj * sum(events.values()) / events_pj


def _draw(axes: Axes, depths: list[int], values: Sequence[float | None], line: _Line) -> None:
    label, colour, marker, dashes = line
    size = 3.5 if len(depths) <= _MARKED else 0
    y = [math.nan if value is None else value for value in values]
    look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dashes, "label": label}
    axes.plot(depths, y, markersize=size, lw=1, **look)


def _events(axes: Axes, evaluation: Evaluation, depths: list[int]) -> None:
    ssa = evaluation.comparison.ssa
    highest = 0.0
    for line, block in ((_ATTENTION, "attention"), (_FEEDFORWARD, "ffn")):
        events = [at_depth(ssa, depth).only(block=block).events_per_mac for depth in depths]
        if known := [value for value in events if value is not None]:
            _draw(axes, depths, events, line)
            highest = max(highest, *known)
    axes.set_title("events per MAC replaced")
    axes.set_ylabel("events per MAC")
    highest = _break_evens(axes, evaluation, highest)
    axes.set_ylim(0, 1.08 * highest if highest else 1)


def _break_evens(axes: Axes, evaluation: Evaluation, highest: float) -> float:
    """A line for the hardware of each break-even that fits; the highest that was drawn."""
    limits: dict[float, list[str]] = {}
    for profile in evaluation.profiles:
        if (limit := break_even(evaluation.comparison.ssa, profile)) is not None:
            limits.setdefault(limit, []).append(profile.name)
    room = _ROOM * highest
    dashes = cycle(("--", ":", "-."))
    for limit, hardware in sorted(limits.items()):
        text = textwrap.fill(
            f"break-even {limit:.2f} ({', '.join(hardware)})", 28, break_on_hyphens=False
        )
        if limit <= room:
            axes.axhline(limit, color=INK, linestyle=next(dashes), lw=1, label=text)
            highest = max(highest, limit)
        else:  # drawn, it would press everything else to the ground
            axes.plot([], [], linestyle="none", label=f"above the axis:\n{text}")
    return highest


def _headline(evaluation: Evaluation) -> tuple[str, ...]:
    compared = evaluation.comparison
    return (
        evaluation.title,
        evaluation.subtitle,
        f"perplexity {compared.analog.perplexity:.2f} analog, {compared.spiking.perplexity:.2f} "
        f"spiking ({change(compared.perplexity_change)})",
        "; ".join(profile.title for profile in evaluation.profiles),
    )
