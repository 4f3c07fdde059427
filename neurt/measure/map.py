"""The verb `map`: which model costs least, over batch, context, widths and SRAM. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from energy.formulas import Conventions
from energy.formulas.touched import any_of
from energy.sheet import Say, warn
from hwmodels import Buffer, Fusion, HardwareProfile
from hwmodels.plain import quoted
from neurt.closed_form.passes import Pass, beyond, check_length
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.loading.sizes import resolve_sizes
from neurt.measure.conversion import conversion_of
from neurt.measure.mapped import FLOW, Bills, MapError, Mapped, vector_bits
from neurt.measure.planning import CLOSED_FORM, known_shape
from neurt.measure.stored_model import active_rates, spike_rates, stored_model
from neurt.measure.widths import StoredWidths, stored_widths
from neurt.requests.map import MapRequest
from neurt.spiking.config import SpikingConfig
from reports.map.cells import Cell, EnergyMap

#: Bits of weights unless others are asked for: four with their scales, and the usual ones.
WEIGHT_BITS = (4.5, 8.0, 16.0, 32.0)


def run_map(request: MapRequest, say: Say = warn) -> list[EnergyMap]:
    """Map a model on each hardware.

    Args:
        request: The model, or the run, and the axes.
        say: Told what was understood of a run; a warning unless given.

    Raises:
        MapError: If a hardware has no price for what the map compares.
    """
    request.check()
    profiles = request.profiles()
    if request.model is None and request.run is None:
        request = request.model_copy(update={"model": "gpt2-small"})
    mapped, stored = _of_model(request) if request.run is None else _of_run(request, say)
    passes = request.passes(mapped.shape.span)
    longest = max(one.keys for one in passes)
    check_length(longest, mapped.shape, mapped.model, "--contexts")
    for sentence in beyond(longest, mapped.shape.positions, mapped.model):
        say(f"{sentence}.")
    return [_map(request, stored.machine(it), mapped, passes) for it in profiles]


def _of_model(request: MapRequest) -> tuple[Mapped, StoredWidths]:
    assert request.model is not None
    source = resolve_sizes(request.model)
    spiking, shape = conversion_of(source, request), known_shape(source)
    conventions, rate = Conventions(request.attention), request.spike_rate
    active = request.active_rate
    # How wide weights are, the axis says.
    stored = stored_widths(source, CLOSED_FORM, {**request.widths, "weights": 8})
    what = request.passes(shape.span)[0]
    sides = plan_asa(shape, what), plan_ssa(shape, what, spiking, rate)
    one = any_of(rate, spiking.timesteps) if active is None else active
    said = f"assumed {rate:g}", f"assumed {one:.4g}"
    bits = vector_bits(stored, *sides)
    about = (source.name, CLOSED_FORM, shape, spiking)
    return Mapped(*about, rate, active, said, bits, conventions), stored


def _of_run(request: MapRequest, say: Say) -> tuple[Mapped, StoredWidths]:
    from reports.read import read_run  # late: a map of a model reads none

    assert request.run is not None
    run = read_run(request.run, say)
    stored = stored_model(run)
    if stored is None:
        raise MapError(
            f"run {quoted(str(request.run))} does not say the sizes of its model; run the command "
            "again that wrote it"
        )
    shape, spiking = stored
    rates, said = spike_rates(run, shape, spiking)
    active, of_active = active_rates(run, shape, rates, spiking.timesteps)
    bits = vector_bits(StoredWidths(request.widths), run.asa, run.ssa)
    mapped = Mapped(
        run.asa.model,
        run.asa.weights,
        shape,
        spiking,
        rates,
        active,
        (said, of_active),
        bits,
        Conventions(request.attention),
    )
    return mapped, StoredWidths(request.widths)


def _map(
    request: MapRequest, profile: HardwareProfile, mapped: Mapped, passes: Sequence[Pass]
) -> EnergyMap:
    dataflow, cells = request.dataflow or FLOW, []
    bills = Bills(mapped, passes, dataflow, alone=profile.core is not None)
    for size in _capacities(request, profile):
        for bits in _weight_bits(request, profile):
            machine = _machine(profile, bits, size)
            ends = (
                bills.on(machine.model_copy(update={"fusion": bound}))
                for bound in (Fusion.FUSED, Fusion.UNFUSED)
            )
            cells += [
                Cell(one.batch, one.keys, bits, size, fused, unfused)
                for one, fused, unfused in zip(passes, *ends, strict=True)
            ]
    return EnergyMap(
        profile,
        tuple(cells),
        request.phase,
        str(dataflow),
        mapped.model,
        mapped.weights,
        mapped.spiking.timesteps,
        _words(mapped.spiking),
        *mapped.said,
        tuple(op.value for op in bills.unpriced),
    )


def _words(spiking: SpikingConfig) -> str:
    codes = dict.fromkeys((spiking.code_of_attention, spiking.code))
    return f"{spiking.form} attention, code {' and '.join(codes)}"


def _capacities(request: MapRequest, profile: HardwareProfile) -> tuple[int | None, ...]:
    """Sizes of the level nearest to the weights; none to choose where they have but one level."""
    levels = profile.placement.get(Buffer.WEIGHTS, ())
    if not levels:
        raise MapError(
            f"'{profile.name}' has no memory level for weights, so what their bytes cost is not "
            "known there; give another --hw"
        )
    if len(levels) > 1:
        return tuple(dict.fromkeys(request.sram))
    if "sram" in request.model_fields_set:
        raise MapError(
            f"--sram has no effect on '{profile.name}', whose weights have one memory level; leave "
            "it out, or give another --hw"
        )
    return (None,)


def _weight_bits(request: MapRequest, profile: HardwareProfile) -> tuple[float, ...]:
    """Bits of weights, as asked for or as the arithmetic takes them."""
    if "weights" in request.widths:
        return (request.widths["weights"],)
    own = [bits for bits in WEIGHT_BITS if bits <= profile.own_bits]
    return tuple(dict.fromkeys(request.weight_bits)) or tuple(own)


def _machine(profile: HardwareProfile, bits: float, size: int | None) -> HardwareProfile:
    """The hardware with weights of so many bits, and so much memory beside them."""
    changed: dict[str, object] = {"widths": profile.widths.model_copy(update={"weights": bits})}
    if size is not None:
        nearest = profile.placement[Buffer.WEIGHTS][0]
        level = profile.memory[nearest].model_copy(update={"capacity_bytes": size})
        changed["memory"] = {**profile.memory, nearest: level}
    machine = profile.model_copy(update=changed)
    if fault := machine.too_wide:
        raise MapError(f"--weight-bits: {fault}")
    return machine
