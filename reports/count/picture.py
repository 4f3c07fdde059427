"""What each component of one model costs, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from energy import Estimate
from energy.bill.layer import GROUPS
from energy.words import energy, energy_unit
from reports.count.run import part_pj
from reports.kit.fit import Fit
from reports.kit.palette import GROUP_COLOURS, INK, QUIET
from reports.kit.parts import (
    ACCOUNTING_NAMES,
    BOUNDS,
    GROUP_NAMES,
    component_names,
    other_bound,
)
from reports.kit.style import beside, headline, lanes, sheet, styled

#: The sum at the other bound.
_OTHER: dict[str, Any] = {"color": INK, "linewidth": 1.2, "solid_capstyle": "butt"}


@styled({"axes.grid.axis": "x"})
def count_components(bill: Estimate, title: str, subtitle: str, fit: Fit = Fit.TWO) -> Figure:
    """Energy of each component over all layers, stacked by what it is spent on, with its share.

    Bars are at the bound of the profile, a line marks the sum at the other one.
    """
    names = component_names(bill.counts)
    own, other = bill.profile.fusion.value, other_bound(bill.profile)
    energies = {part: part_pj(bill, own, *part) for part in names}
    known = [pj for pj in energies.values() if pj is not None]
    beyond = {part: part_pj(bill, other, *part) for part in names}
    total = sum(known)
    largest = max(bill.under(bound).energy_pj() for bound in (own, other))
    scale, unit = energy_unit(largest)
    spent = [group for group in GROUPS if bill.group_pj(group)]
    drawn = sheet(fit.inches, 0.95 + (0.2 if fit is Fit.TWO else 0.25) * (len(names) + 1))
    axes = drawn.body.subplots()
    for lane, (part, pj) in enumerate(energies.items()):
        # In words, so that a gap is not read as zero.
        said = "unpriced" if pj is None else _percent(pj / total if total else 0.0)
        groups = spent if pj is not None else []
        widths = {group: bill.group_pj(group, *part) / scale for group in groups}
        end = beyond[part]
        if end is not None:
            axes.plot([end / scale] * 2, [lane - 0.35, lane + 0.35], **_OTHER)
        _stack(axes, lane, widths, said, (end or 0.0) / scale)
    lane, both = len(names), [bill.under(bound).energy_pj() for bound in (own, other)]
    widths = {group: bill.group_pj(group) / scale for group in spent}
    ends, wide = [energy(pj, 3) for pj in both], fit is Fit.TWO
    said = f"{ends[0]} {own}, {ends[1]} {other}" if wide else f"{ends[0]} ({ends[1]})"
    if bill.lacks_compute:
        said = "no sum: MACs unpriced"
    axes.plot([both[1] / scale] * 2, [lane - 0.35, lane + 0.35], **_OTHER)
    _stack(axes, lane, widths, said, both[1] / scale)
    axes.axhline(lane - 0.5, color=QUIET, linewidth=0.6)
    lanes(axes, [*names.values(), "whole model"], fit)
    axes.set_xlim(0, (1.45 if wide else 1.8) * largest / scale if largest else 1)
    words = f"energy ({unit}), {ACCOUNTING_NAMES[own]}; shares of their sum"
    if not wide:
        words = f"energy ({unit}), {own} ({other});\nshares of their sum"
    axes.set_xlabel(words)
    handles: list[Artist] = [
        Patch(facecolor=GROUP_COLOURS[group], label=GROUP_NAMES[group]) for group in spent
    ]
    handles.append(Line2D([], [], label=f"sum if {other}", **_OTHER))
    columns = min(4 if wide else 2, len(handles))
    drawn.body.legend(handles=handles, loc="outside lower center", ncols=columns)
    headline(drawn, _answer(bill, energies, names), title, subtitle, bill, bill)
    return drawn.figure


def _answer(
    bill: Estimate,
    energies: Mapping[tuple[str, str], float | None],
    names: Mapping[tuple[str, str], str],
) -> str:
    """What the model spends at both bounds, and on which component most of it."""
    if bill.lacks_compute:
        return "What the model costs is not known: its MACs have no price"
    ends = [energy(bill.under(bound).energy_pj(), 3) for bound in BOUNDS]
    known = {part: pj for part, pj in energies.items() if pj is not None}
    text = f"{bill.counts.model} costs {ends[0]} fused, {ends[1]} unfused"
    if not (total := sum(known.values())):
        return text
    most = max(known, key=known.__getitem__)
    return f"{text}; most of it for: {names[most]}, {_percent(known[most] / total)}"


def _stack(axes: Axes, lane: int, widths: Mapping[str, float], said: str, least: float) -> None:
    """A bar of one component, with a word behind it, and behind a mark that lies further out."""
    left = 0.0
    for group, width in widths.items():
        axes.barh(lane, width, 0.7, left, color=GROUP_COLOURS[group])
        left += width
    beside(axes, said, (max(left, least), lane))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or not share else "<0.1 %"
