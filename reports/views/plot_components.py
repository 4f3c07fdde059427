"""Where in the model the energy goes, and which component saves most, as a picture."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from energy import Estimate, Saving, saving
from energy.words import energy, energy_unit
from reports.kit.answers import saved, whole
from reports.kit.fit import Fit
from reports.kit.palette import ANALOG, ANALOG_PALE, QUIET, SPIKING, SPIKING_PALE
from reports.kit.parts import BOUNDS, COMPUTE_ONLY, component_names
from reports.kit.style import beside, headline, lanes, sheet, styled

#: Colours of both sides: fused, and what the unfused bound adds.
_SIDES = {"analog (ASA)": (ANALOG, ANALOG_PALE), "spiking (SSA)": (SPIKING, SPIKING_PALE)}
#: Components that cost less than this share of the dearer model on both sides share a lane.
_SMALL = 0.005
#: From here on a component costs so many times as much, and no share more.
_MANY = 10

Part = tuple[str | None, str | None]
#: The savings of one lane, by accounting.
Lane = dict[str, Saving]


@styled({"axes.grid.axis": "x"})
def per_component(
    asa: Estimate, ssa: Estimate, title: str, subtitle: str, fit: Fit = Fit.TWO
) -> Figure:
    """Energy of each component over all layers and of the model, analog above spiking.

    Left MACs and ACs alone, the convention of the literature, right everything that has a price:
    bars are fused, their pale ends what is added unfused. Both panels have one scale. Components
    that cost next to nothing on both sides are one lane. One column has the right panel alone.
    """
    found = _lanes(asa, ssa)
    drawn = sheet(fit.inches, 0.95 + 0.29 * len(found))
    wide = fit is Fit.TWO
    shown: dict[str, tuple[str, ...]] = {"MACs and ACs alone": (COMPUTE_ONLY,)} if wide else {}
    shown |= {"all that has a price: fused (unfused)": BOUNDS}
    ratios = (1, 1.25)[-len(shown) :]
    panels = drawn.body.subplots(
        1, len(shown), sharey=True, sharex=True, squeeze=False, width_ratios=ratios
    )[0]
    ends = [
        pj for lane in found.values() for part in lane.values() for pj in (part.asa_pj, part.ssa_pj)
    ]
    largest = max((pj for pj in ends if pj is not None), default=0.0)
    scale, unit = energy_unit(largest)
    for axes, (heading, accountings) in zip(panels, shown.items(), strict=True):
        for place, lane in enumerate(found.values()):
            _pair(axes, place, [lane[accounting] for accounting in accountings], scale, fit)
        if wide:
            axes.set_title(heading)
            axes.set_xlabel(f"energy ({unit})")
        else:
            axes.set_xlabel(f"energy ({unit}) of " + heading.replace(": ", ":\n"))
        axes.axhline(len(found) - 1.5, color=QUIET, linewidth=0.6)
    lanes(panels[0], list(found), fit)
    panels[0].set_xlim(0, (1.5 if wide else 1.8) * largest / scale if largest else 1)
    handles: list[Any] = []
    for name, (colour, pale) in _SIDES.items():
        handles += [Patch(color=colour, label=name), Patch(color=pale, label="added if unfused")]
    drawn.body.legend(handles=handles, loc="outside lower center", ncols=4 if wide else 2)
    headline(drawn, _answer(asa, ssa, found), title, subtitle, asa, ssa)
    return drawn.figure


def _lanes(asa: Estimate, ssa: Estimate) -> dict[str, Lane]:
    """The savings of each component, of the small ones together, and last of the model."""

    def of(block: str | None, component: str | None) -> Lane:
        return {
            each: saving(asa, ssa, each, block=block, component=component)
            for each in (COMPUTE_ONLY, *BOUNDS)
        }

    model = of(None, None)
    least = _SMALL * max((side.under(BOUNDS[0]).energy_pj() for side in (asa, ssa)), default=0.0)
    found, small = {}, []
    for part, name in component_names(asa.counts, ssa.counts).items():
        lane = of(*part)
        ends = [pj for one in lane.values() for pj in (one.asa_pj, one.ssa_pj)]
        if any(pj is None or pj > least for pj in ends) or not least:
            found[name] = lane
        else:
            small.append(lane)
    if small:
        found[f"{len(small)} more, each < {100 * _SMALL:g} %"] = {
            each: Saving(
                *("total", "total", each),
                sum(lane[each].asa_pj or 0.0 for lane in small),
                sum(lane[each].ssa_pj or 0.0 for lane in small),
                (),
            )
            for each in model
        }
    return {**found, "whole model": model}


def _pair(axes: Axes, place: int, parts: list[Saving], scale: float, fit: Fit) -> None:
    """Both sides of a component, and in words what it saves."""
    sides = ([part.asa_pj for part in parts], [part.ssa_pj for part in parts])
    reach = 0.0
    for (colour, pale), ends, offset in zip(_SIDES.values(), sides, (-0.2, 0.2), strict=True):
        if ends[0] is None:  # in words, so that a gap is not read as zero
            beside(axes, "unpriced", (0, place + offset))
            continue
        axes.barh(place + offset, ends[0] / scale, 0.38, color=colour)
        reach = max(reach, ends[0] / scale)
        if ends[-1] is not None and ends[-1] > ends[0]:
            more = (ends[-1] - ends[0]) / scale
            axes.barh(place + offset, more, 0.38, ends[0] / scale, color=pale)
            reach = max(reach, ends[-1] / scale)
    said = [_said(part) for part in parts]
    if said[0] or said[-1]:
        space = " "
        if fit is Fit.ONE:  # the largest bar leaves room for a line of 17 letters, twice
            said, space = [words.replace(" times as much", "-fold") for words in said], "\n"
        short = said[-1].removeprefix("saves ")
        if fit is Fit.ONE and said[0].startswith("costs"):
            short = short.removeprefix("costs ")
        words = said[0] if said[0] == said[-1] else f"{said[0]}{space}({short})"
        beside(axes, words, (reach, place), (4, 0))


def _said(part: Saving) -> str:
    """What a component saves; of one that only the spiking model has, that it is new."""
    if part.asa_pj is None or part.ssa_pj is None:
        return ""
    if part.asa_pj == 0:
        return "only in the spiking model" if part.ssa_pj else ""
    if part.ssa_pj >= _MANY * part.asa_pj:
        return f"costs {part.ssa_pj / part.asa_pj:,.0f} times as much"
    return saved(part.saving)


def _answer(asa: Estimate, ssa: Estimate, found: dict[str, Lane]) -> str:
    """What the model saves, and the component that saves most of it, fused."""
    *parts, model = found.items()
    total = model[1][BOUNDS[0]]
    if total.saving is None:
        return "What is saved is not known, as MACs or ACs have no price"
    spared = {
        name: (one.asa_pj or 0.0) - (one.ssa_pj or 0.0)
        for name, lane in parts
        for one in [lane[BOUNDS[0]]]
        if None not in (one.asa_pj, one.ssa_pj)
    }
    text = f"The spiking model {whole(asa, ssa)}"
    name = max(spared, key=spared.__getitem__, default="")
    if not name or spared[name] <= 0:
        return text
    return f"{text}; most is saved in: {name}, {energy(spared[name], 3)} fused"
