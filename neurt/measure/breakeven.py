"""The verb `breakeven`: from a request to the spike rates at which spikes stop paying. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from energy import Counts, LayerCount, Tally, estimate, formulas
from energy.bill.layer import ACCOUNTINGS
from energy.compare.breakeven import Part
from energy.compare.part_breakeven import part_break_even, with_events
from energy.counts import About
from energy.formulas import Conventions
from energy.sheet import Say, warn
from hwmodels import Dataflow, HardwareProfile, Op
from hwmodels.errors import UserError
from neurt.closed_form.passes import Pass, PlanError, check_length
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_rows import Rows
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape, has_conversion, not_converted
from neurt.loading.source import resolve
from neurt.measure.conversion import conversion_of
from neurt.measure.planning import CLOSED_FORM, known_shape
from neurt.measure.widths import StoredWidths, recorded_widths, stored_widths
from neurt.requests.breakeven import BreakEvenRequest
from neurt.spiking.config import Code, Coded, SpikingConfig
from neurt.spiking.feeds import coders_of
from reports.breakeven.case import Case
from reports.read import read_sides

#: Bills of which a curve is made where rows are gathered: multiples of the events, each so many
#: times the one before.
_POINTS, _FACTOR = 40, 2 ** (1 / 4)


class BreakEvenError(UserError, ValueError):
    """A break-even that cannot be found."""


def run_breakeven(request: BreakEvenRequest, say: Say = warn) -> list[Case]:
    """Find the break-evens of shapes, of a model and of a measured run, on each hardware.

    Args:
        request: What to compare.
        say: Told what was understood or left out of the table of the run; a warning unless given.

    Raises:
        BreakEvenError: If there is nothing to compare.
    """
    profiles = request.profiles()
    sides = [*_shapes(request), *_model(request), *_run(request, say)]
    if not sides:
        raise BreakEvenError("nothing to compare; give --model, --shape or --run")
    return [_case(profile, request.dataflow, side, say) for profile in profiles for side in sides]


class _Sides(NamedTuple):
    """Counts of both sides, the spiking one at any number of events, and their parts."""

    title: str
    measured: bool
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
        most = 1 / min(rates, default=1.0) if self.measured else 1.0
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
    if not known:
        way = (
            "its rows need dense_macs, spikes and slots"
            if sides.measured
            else "choose another --code"
        )
        raise BreakEvenError(f"{sides.title}: no layer takes events; {way}")
    return Case(sides.title, sides.measured, asa, busy, known)


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
        part = Part(name, "layer", "", includes, None, None, _highest(busy.layers))
        stored = StoredWidths(request.widths)
        yield _Sides(f"linear layer {name}, closed form", False, asa, at, busy, [part], stored)


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


def _model(request: BreakEvenRequest) -> Iterator[_Sides]:
    if request.model is None:
        return
    source = resolve(request.model)
    spiking, shape = conversion_of(source, request), known_shape(source)
    what, conventions = request.what, Conventions(request.attention)
    if not has_conversion(shape):
        raise PlanError(not_converted(shape))
    check_length(what.keys, shape, request.model)
    about: About = {"model": source.name, "weights": CLOSED_FORM}
    asa = plan_asa(shape, what, conventions, **about)

    def at(rate: float) -> Counts:
        return plan_ssa(shape, what, spiking, rate, conventions, **about)

    busy = at(1.0)
    parts = [*_layers(asa, busy, by_depth=False), *_blocks(asa, busy)]
    stored = stored_widths(source, CLOSED_FORM, request.widths)
    yield _Sides(f"{source.name}, closed form", False, asa, at, busy, parts, stored)


def _run(request: BreakEvenRequest, say: Say) -> Iterator[_Sides]:
    if request.run is None:
        return
    analog, spiking = read_sides(request.run, say)
    if len(analog) > 1 or len(spiking) > 1:
        phases = ", ".join(dict.fromkeys(counts.phase for counts in (*analog, *spiking)))
        raise BreakEvenError(
            f"counts '{request.run}' are of several phases ({phases}), but a break-even is that of "
            "one pass; give those of a run with one --phase"
        )
    [asa], [ssa] = analog, spiking
    parts = [*_layers(asa, ssa, by_depth=True), *_blocks(asa, ssa)]
    title, stored = (
        f"{ssa.model or request.run}, measured",
        recorded_widths(request.run, request.widths),
    )
    yield _Sides(title, True, asa, partial(with_events, ssa), ssa, parts, stored)


def _layers(asa: Counts, ssa: Counts, *, by_depth: bool) -> Iterator[Part]:
    """Event layers with the coders that feed them alone: one by one, or those of all depths.

    Layers that share a coder (Q, K and V, or the gate and what it multiplies) are one.
    """
    spiking = {row.name for row in ssa.layers}
    groups: dict[str, list[LayerCount]] = {}
    for row in _event_layers(asa, ssa):
        shared = min(coders_of(row.name) & spiking, default=row.name)
        groups.setdefault(shared if by_depth else row.label.component, []).append(row)
    for component, rows in groups.items():
        path = rows[0].name.rpartition(".")[0]
        short = "+".join(row.name.rpartition(".")[2] for row in rows)
        yield _layer_part(f"{path}.{short}".lstrip(".") if by_depth else component, rows, ssa)


def _event_layers(asa: Counts, ssa: Counts) -> Iterator[LayerCount]:
    """Layers of the spiking model that multiply events."""
    analog = {row.name for row in asa.layers}
    for row in ssa.layers:
        if row.tally.slots and row.tally.dense_macs:
            if row.name not in analog:
                raise BreakEvenError(
                    f"layer '{row.name}' takes events, but the analog variant has no such layer; "
                    "give counts of one model and its conversion"
                )
            yield row


def _layer_part(name: str, rows: Sequence[LayerCount], ssa: Counts) -> Part:
    """Layers with the coders that feed them."""
    products = {row.name for row in rows}
    known = {coder for product in products for coder in coders_of(product)}
    fed = [row for row in ssa.layers if row.name in known]
    shapes = "/".join(sorted({_size(row, ssa) for row in rows} - {""}))
    return Part(
        name,
        "layer" if fed else "product",
        rows[0].label.component,
        f"{shapes or 'two activations'}, {'with its coder' if fed else 'no neurons'}",
        frozenset(products),
        frozenset(products | {row.name for row in fed}),
        _highest(fed),
    )


def _size(row: LayerCount, counts: Counts) -> str:
    """Inputs x outputs of a linear layer; nothing for a product of two activations."""
    weights = row.tally.ops.get(Op.WEIGHT_READ, 0) // max(1, row.calls)
    outputs = row.tally.dense_macs // row.tally.slots
    return f"{weights // outputs:.0f}x{outputs:.0f}" if weights else ""


def _blocks(asa: Counts, ssa: Counts) -> Iterator[Part]:
    for block in ("attention", "ffn"):
        rows = [counts.only(block=block).layers for counts in (asa, ssa)]
        analog, spiking = (frozenset(row.name for row in side) for side in rows)
        includes = "whole block, with norms and neurons"
        highest = _highest(rows[1])
        yield Part(f"{block} block", "block", "", includes, analog, spiking, highest)
    whole = "whole model, with embeddings and head"
    yield Part("model", "model", "", whole, None, None, _highest(ssa.layers))


def _highest(rows: Iterable[LayerCount]) -> float:
    """Events that a slot can hold in one time step; a burst has up to seven."""
    return 7.0 if any(row.kind == Code.BURST.kind for row in rows) else 1.0
