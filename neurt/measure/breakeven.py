"""The verb `breakeven`: from a request to the spike rates at which spikes stop paying. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

from energy import Counts, Estimate, LayerCount, Tally, estimate, formulas
from energy.bill.layer import ACCOUNTINGS
from energy.compare.breakeven import Part
from energy.compare.part_breakeven import on_the_curve, part_break_even, with_events
from energy.counts import About
from energy.formulas import Conventions
from energy.sheet import Say, warn
from hwmodels import Dataflow, HardwareProfile
from neurt.closed_form.passes import Pass, PlanError, beyond, check_length
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_rows import Rows
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape, has_conversion, not_converted
from neurt.loading.sizes import resolve_sizes
from neurt.measure.conversion import conversion_of
from neurt.measure.parts import BreakEvenError, blocks, event_layers, highest_rate
from neurt.measure.planning import CLOSED_FORM, known_shape
from neurt.measure.widths import StoredWidths, recorded_widths, stored_widths
from neurt.requests.breakeven import BreakEvenRequest
from neurt.spiking.config import Coded, SpikingConfig
from reports.breakeven.case import Case, Origin
from reports.kit.caveats import rates_are_assumed
from reports.read import read_sides

#: Bills of which a curve is made where rows are gathered: multiples of the events, each so many
#: times the one before.
_POINTS, _FACTOR = 40, 2 ** (1 / 4)


def run_breakeven(request: BreakEvenRequest, say: Say = warn) -> list[Case]:
    """Find the break-evens of shapes, of a model and of a measured run, on each hardware.

    Args:
        request: What to compare.
        say: Told what was understood or left out of the table of the run; a warning unless given.

    Raises:
        BreakEvenError: If there is nothing to compare.
    """
    profiles = request.profiles()
    sides = [*_shapes(request), *_model(request, say), *_run(request, say)]
    if not sides:
        raise BreakEvenError("nothing to compare; give --model, --shape or --run")
    return [_case(profile, request.dataflow, side, say) for profile in profiles for side in sides]


class _Sides(NamedTuple):
    """Counts of both sides, the spiking one at any number of events, and their parts."""

    title: str
    origin: Origin
    asa: Counts
    #: the spiking one with so many times the events of the busy one
    at: Callable[[float], Counts]
    busy: Counts
    parts: list[Part]
    stored: StoredWidths

    @property
    def multiples(self) -> list[float]:
        """From very few events to as many as slots hold, in equal factors."""
        rates = [x.tally.spikes / x.tally.slots for x in self.busy.layers if x.tally.spikes]
        most = 1 / min(rates, default=1.0) if self.origin is not Origin.CLOSED_FORM else 1.0
        return [most * _FACTOR ** (place - _POINTS + 1) for place in range(_POINTS)]


def _case(profile: HardwareProfile, dataflow: Dataflow | None, sides: _Sides, say: Say) -> Case:
    counted = [sides.stored.rows(counts) for counts in (sides.asa, sides.at(0.0), sides.busy)]
    profile = sides.stored.machine(profile)
    sides.stored.tell(counted[0], profile, say)
    asa, silent, busy = (estimate(counts, profile, dataflow=dataflow) for counts in counted)
    between = []
    if busy.dataflow.rules.weights == "touched":  # few events touch many rows: the bill bends
        rows = ((times, sides.stored.rows(sides.at(times))) for times in sides.multiples)
        between = [(times, estimate(x, profile, dataflow=dataflow)) for times, x in rows]
    found = [
        part_break_even(part, how, asa, silent, busy, between)
        for part in sides.parts
        for how in ACCOUNTINGS
    ]
    known = tuple(one for one in found if one is not None)
    if sides.origin is Origin.CLOSED_FORM:

        @cache
        def bill(rate: float) -> Estimate:
            return estimate(sides.stored.rows(sides.at(rate)), profile, dataflow=dataflow)

        known = tuple(on_the_curve(one, bill, between or [(1.0, busy)]) for one in known)
    if not known:
        way = (
            "its rows need dense_macs, spikes and slots"
            if sides.origin is not Origin.CLOSED_FORM
            else "choose another --code"
        )
        raise BreakEvenError(f"{sides.title}: no layer takes events; {way}")
    return Case(sides.title, sides.origin, asa, busy, known)


def _shapes(request: BreakEvenRequest) -> Iterator[_Sides]:
    """Each linear layer alone on the chip, with the coder of its inputs."""
    what, spiking = request.what, request.spiking
    for fan_in, fan_out in dict.fromkeys(request.shapes):
        name = f"{fan_in}x{fan_out}"
        dense = formulas.linear(what.tokens, fan_in, fan_out, bias=True)
        asa = Counts("asa", (_row(name, "Linear", dense),), name)
        asa = replace(asa, phase=what.phase, batch=what.batch, tokens=what.tokens)
        at = partial(_layer, asa, Shape(1, fan_in, 1, fan_out), what, spiking)
        busy = at(1.0)
        includes = f"{name}, with its coder, alone on the chip"
        part = Part(name, "layer", "", includes, None, None, highest_rate(busy.layers))
        stored = StoredWidths(request.widths)
        yield _Sides(
            f"linear layer {name}, closed form", Origin.CLOSED_FORM, asa, at, busy, [part], stored
        )


def _layer(asa: Counts, sizes: Shape, what: Pass, spiking: SpikingConfig, rate: float) -> Counts:
    """A linear layer and its coder at a spike rate."""
    rows, name = Rows(sizes, what, spiking, rate, Conventions(), ""), asa.layers[0].name
    fan_in, fan_out = sizes.width, sizes.inner
    layers = (
        _row(*rows.coder("encoder", fan_in, Coded.FEEDFORWARD)),
        _row(*rows.linear(name, fan_in, fan_out, spiking.code.levels, bias=True)),
    )
    return replace(asa, variant="ssa", timesteps=spiking.timesteps, layers=layers)


def _row(name: str, kind: str, tally: Tally) -> LayerCount:
    return LayerCount(name, kind, calls=1, tally=tally)


def _model(request: BreakEvenRequest, say: Say) -> Iterator[_Sides]:
    if request.model is None:
        return
    source = resolve_sizes(request.model)
    spiking, shape = conversion_of(source, request), known_shape(source)
    what, conventions = request.what, Conventions(request.attention)
    if not has_conversion(shape):
        raise PlanError(not_converted(shape))
    check_length(what.keys, shape, request.model)
    for sentence in beyond(what.keys, shape.positions, request.model):
        say(sentence)
    about: About = {"model": source.name, "weights": CLOSED_FORM}
    asa = plan_asa(shape, what, conventions, **about)

    def at(rate: float) -> Counts:
        return plan_ssa(shape, what, spiking, rate, conventions, **about)

    busy = at(1.0)
    parts = [*event_layers(asa, busy, by_depth=False), *blocks(asa, busy)]
    stored = stored_widths(source, CLOSED_FORM, request.widths)
    yield _Sides(f"{source.name}, closed form", Origin.CLOSED_FORM, asa, at, busy, parts, stored)


def _run(request: BreakEvenRequest, say: Say) -> Iterator[_Sides]:
    if (run := request.run) is None:
        return
    analog, spiking = read_sides(run, say)
    if len(analog) > 1 or len(spiking) > 1:
        phases = ", ".join(dict.fromkeys(counts.phase for counts in (*analog, *spiking)))
        raise BreakEvenError(
            f"counts '{run}' are of several phases ({phases}), but a break-even is that of "
            "one pass; give those of a run with one --phase"
        )
    [asa], [ssa] = analog, spiking
    parts = [*event_layers(asa, ssa, by_depth=True), *blocks(asa, ssa)]
    origin = Origin.PLAN if rates_are_assumed(ssa.weights) else Origin.RUN
    how = "measured" if origin is Origin.RUN else "assumed rates"
    title, stored = f"{ssa.model or run}, {how}", recorded_widths(run, request.widths)
    yield _Sides(title, origin, asa, partial(with_events, ssa), ssa, parts, stored)
