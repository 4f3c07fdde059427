"""Which transformer layers save, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from energy import Estimate, saving
from energy.words import change, energy, energy_unit, percent
from hwmodels import Op
from reports.kit.answers import DIGITS, between, saved
from reports.kit.closeness import Closeness
from reports.kit.fit import Fit
from reports.kit.palette import ANALOG, GROUP_COLOURS, INK, SPIKING
from reports.kit.parts import BOUNDS, GROUP_NAMES, layer_axis, other_bound
from reports.kit.style import (
    SMALL,
    UNPRICED_HATCH,
    bars,
    beside,
    headline,
    lanes,
    layer_ticks,
    sheet,
    styled,
)

Depths = Sequence[int | None]

#: Name, colour of the name, and place of each side.
_SIDES = (("analog (ASA)", ANALOG), ("spiking (SSA)", SPIKING))
#: The sum at the other bound, and the outline of the analog model behind the spiking one.
_OTHER: dict[str, Any] = {"color": INK, "linewidth": 1.0}
_OUTLINE: dict[str, Any] = {"color": ANALOG, "linewidth": 1.4}
_WIDTH = 0.78


@styled()
def per_layer(
    asa: Estimate,
    ssa: Estimate,
    title: str,
    subtitle: str,
    quality: Closeness | None = None,
    fit: Fit = Fit.TWO,
) -> Figure:
    """Energy of the whole model, and of each transformer layer: analog above spiking.

    Everything that has a price, stacked by what it is spent on at the bound of the profile, with a
    line at the sum at the other bound. The upper panel has the whole model, and what of it lies
    outside the layers (embeddings, final norm, head); both panels of layers share one scale.
    """
    sides = (asa, ssa)
    depths = {layer.label.depth for layer in asa.counts.layers}
    layers = list(range(1 + max((d for d in depths if d is not None), default=-1)))
    scopes: dict[str, Depths | None] = {"whole model": None}
    if None in depths and layers:
        scopes["outside layers"] = [None]
    drawn = sheet(fit.inches, (4.1 if layers else 1.1) + 0.36 * len(scopes))
    heights = [0.12 + 0.36 * len(scopes), *([1.25, 1.25] if layers else [])]
    panels = drawn.body.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    used = _totals(panels[0], sides, scopes, fit)
    if layers:
        used |= _layers([*panels[1:]], sides, layers, fit)
        panels[-1].set_xlabel(layer_axis(asa.counts.phase))
    outlined = bool(layers) and not _lacking(asa, layers)
    handles = _legend(used, other_bound(asa.profile), outlined=outlined)
    drawn.body.legend(handles=handles, loc="outside lower center", ncols=4 if fit is Fit.TWO else 2)
    headline(drawn, _answer(asa, ssa, layers, quality), title, subtitle, asa, ssa)
    return drawn.figure


def _answer(asa: Estimate, ssa: Estimate, layers: Sequence[int], quality: Closeness | None) -> str:
    """What the model saves at both bounds, what it costs in perplexity, and what a layer saves."""
    ends = [saving(asa, ssa, bound).saving for bound in BOUNDS]
    if None in ends:
        missing = sorted({op for side in (asa, ssa) for op in _lacking(side)})
        return f"What is saved is not known, as {' and '.join(missing)} have no price"
    cost = "" if quality is None else f", perplexity {change(quality.perplexity_change, DIGITS)}"
    text = f"The spiking model {between(ends[0], ends[1])}{cost}"
    pairs = zip(*(_sums(side.under(BOUNDS[0]), layers) for side in (asa, ssa)), strict=True)
    found = [1 - spiking / analog for analog, spiking in pairs if analog]
    if not found:
        return text
    low, high = (saved(share) for share in (min(found), max(found)))
    if low == high:
        return f"{text}; each of its {len(found)} layers {low} fused"
    if min(found) > 0:
        low = f"saves {percent(min(found), DIGITS).removesuffix(' %')} to"
        return f"{text}; each of its {len(found)} layers {low} {percent(max(found), DIGITS)} fused"
    return f"{text}; of its {len(found)} layers one {low}, another {high}, fused"


def _totals(
    axes: Axes, sides: tuple[Estimate, Estimate], scopes: dict[str, Depths | None], fit: Fit
) -> set[str]:
    """A bar for each side of each scope on one scale; the groups that are visible."""
    own, other = str(sides[0].profile.fusion), other_bound(sides[0].profile)
    ends = {bound: [side.under(bound) for side in sides] for bound in (own, other)}
    bills = [side for both in ends.values() for side in both]
    largest = max(_sum(side, at) for at in scopes.values() for side in bills)
    scale, unit = energy_unit(largest)
    used, names, wide = set[str](), list[str](), fit is Fit.TWO
    for scope, depths in scopes.items():
        for (name, _), short, here, there in zip(
            _SIDES, ("ASA", "SSA"), ends[own], ends[other], strict=True
        ):
            lane, left = len(names), 0.0
            names.append(f"{scope}, {name if wide else short}")
            lacking = _lacking(here, depths)
            for group, colour in GROUP_COLOURS.items():
                width = sum(_by_depth(here, depths, group)) / scale
                hatch = UNPRICED_HATCH if lacking else None
                axes.barh(lane, width, 0.74, left, color=colour, hatch=hatch, linewidth=0)
                left += width
                used |= {group} if width else set()
            end = _sum(there, depths) / scale
            axes.plot([end, end], [lane - 0.42, lane + 0.42], solid_capstyle="butt", **_OTHER)
            here_pj, there_pj = energy(left * scale, 3), energy(end * scale, 3)
            words = f"{here_pj} {own}, {there_pj} {other}" if wide else f"{here_pj} ({there_pj})"
            if lacking:
                words = f"{' and '.join(lacking)} unpriced: no sum" if wide else "no sum"
            beside(axes, words, (max(left, end), lane), (4, 0))
    lanes(axes, names, fit)
    for place, label in enumerate(axes.get_yticklabels()):
        label.set_color(_ink(place % 2))
    axes.set_xlim(0, (1.42 if wide else 1.7) * largest / scale if largest else 1)
    axes.grid(axis="x", visible=True)
    axes.set_xlabel(f"energy ({unit})" if wide else f"energy ({unit}): {own} ({other})")
    return used


def _layers(
    panels: Sequence[Axes],
    sides: tuple[Estimate, Estimate],
    layers: Sequence[int],
    fit: Fit,
) -> set[str]:
    """A panel for each side, of which both have one scale; the groups that are visible."""
    other = other_bound(sides[0].profile)
    beyond = [_sums(side.under(other), layers) for side in sides]
    sums = [_sums(side, layers) for side in sides]
    largest = max(max(x) for x in (*sums, *beyond))
    scale, unit = energy_unit(largest)
    edges = [depth - 0.5 for depth in range(len(layers) + 1)]
    used = set()
    for axes, side, ends, (name, _), number in zip(
        panels, sides, beyond, _SIDES, (0, 1), strict=True
    ):
        lacking = _lacking(side, layers)
        base = [0.0] * len(layers)
        for group, colour in GROUP_COLOURS.items():
            values = _by_depth(side, layers, group)
            tops = [low + value / scale for low, value in zip(base, values, strict=True)]
            look: dict[str, Any] = {"facecolor": colour, "linewidth": 0}
            if lacking:
                look |= {"hatch": UNPRICED_HATCH, "edgecolor": INK}
            bars(axes, layers, list(zip(base, tops, strict=True)), _WIDTH, **look)
            used |= {group} if any(values) else set()
            base = tops
        axes.stairs([end / scale for end in ends], edges, baseline=None, **_OTHER)
        if number and not _lacking(sides[0], layers):
            axes.stairs([x / scale for x in sums[0]], edges, baseline=None, **_OUTLINE)
        title = f"{name}, each layer"
        if lacking:
            title += "\n" if fit is Fit.ONE else " "
            title += f"({' and '.join(lacking)} unpriced: no sum)"
        axes.set_title(title, color=_ink(number), fontsize=SMALL + 1)
        axes.set_xlim(-0.6, len(layers) - 0.4)
        axes.set_ylim(0, 1.1 * largest / scale if largest else 1)
        axes.set_ylabel(f"energy ({unit})")
        layer_ticks(axes, layers, fit)
        axes.tick_params(axis="x", labelbottom=bool(number))
    return used


def _ink(side: int) -> str:
    """The colour of the name of a side; slate on white is too pale for text."""
    return (INK, SPIKING)[side]


def _lacking(side: Estimate, depths: Depths | None = None) -> list[str]:
    """Which of its MACs or ACs have no price, at some depths or anywhere."""
    return [
        f"{op.value.upper()}s"
        for op in (Op.MAC, Op.AC, Op.SHIFT_AC)
        if side.profile.energy_pj(op) is None
        and any(
            layer.tally.ops.get(op) and (depths is None or layer.label.depth in depths)
            for layer in side.counts.layers
        )
    ]


def _legend(used: set[str], other: str, *, outlined: bool) -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=GROUP_COLOURS[group], label=GROUP_NAMES[group])
        for group in GROUP_COLOURS
        if group in used
    ]
    handles.append(Line2D([], [], label=f"sum if {other}", **_OTHER))
    if outlined:
        handles.append(Line2D([], [], label="sum of the analog layer", **_OUTLINE))
    return handles


def _sum(side: Estimate, depths: Depths | None) -> float:
    return sum(sum(_by_depth(side, depths, group)) for group in GROUP_COLOURS)


def _sums(side: Estimate, depths: Depths) -> list[float]:
    """Energy at each depth in picojoules."""
    each = [_by_depth(side, depths, group) for group in GROUP_COLOURS]
    return [sum(values) for values in zip(*each, strict=True)]


def _by_depth(side: Estimate, depths: Depths | None, group: str) -> list[float]:
    """Energy of a group at each depth in picojoules, None is outside the layers; or of all."""
    if depths is None:
        return [side.group_pj(group)]
    sums = dict.fromkeys(depths, 0.0)
    for layer in side.layers:
        if layer.count.label.depth in sums:
            sums[layer.count.label.depth] += layer.group_pj(group)
    return list(sums.values())
