"""`plan` on the prices of a whole chip: a server of a model in a steady state. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from energy.serving.predict import predict
from energy.serving.step import Step
from hwmodels import HardwareProfile, Op
from neurt.closed_form.passes import check_stages, decode
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.closed_form.serving import BITS, PlannedModel
from neurt.families import Shape, layout
from neurt.loading.source import ModelSource, resolve
from neurt.measure.conversion import conversion_of
from neurt.measure.planning import CLOSED_FORM, known_shape
from neurt.measure.widths import StoredWidths, stored_widths
from neurt.requests.base import RequestError
from neurt.requests.passes import PlanRequest
from neurt.spiking.config import SpikingConfig
from reports.serving.served import Server, Variant

#: What a request may say beside the model and the hardware; the rest changes nothing here.
_USED = frozenset(
    ("model", "hw", "prompt", "generate", "batch", "gpus", "widths", "out", "force", "details")
) | frozenset(("spiking", "spike_rate", "active_rate", "page", "pictures"))


def run_servers(request: PlanRequest, profiles: tuple[HardwareProfile, ...]) -> list[Server]:
    """Predict what a model costs on whole chips.

    Raises:
        RequestError: If the request says no prompt and answer, something that changes nothing
            there, or a number of GPUs that cannot share the heads of the model.
    """
    for name in sorted(request.model_fields_set - _USED):
        raise RequestError(
            f"--{name.replace('_', '-')} has no effect on '{profiles[0].name}', whose prices are "
            "those of a whole chip as a server; leave it out"
        )
    if request.prompt is None or request.generate is None:
        raise RequestError(
            f"the prices of '{profiles[0].name}' are of a server that answers requests; give "
            "--prompt N and --generate N"
        )
    source = resolve(request.model)
    shape = known_shape(source)
    check_stages(request.stages, shape, request.model)
    gpus = request.gpus or 1
    _check_gpus(shape, gpus, request.model)
    spiking = conversion_of(source, request)
    stored = stored_widths(source, CLOSED_FORM, request.widths)
    model = _as_served(shape, stored)
    step = model.step(request.batch, request.prompt, request.generate, gpus)
    return [_server(request, source, profile, step, model, spiking, stored) for profile in profiles]


def _as_served(shape: Shape, stored: StoredWidths) -> PlannedModel:
    return PlannedModel(
        shape,
        stored.rows,
        weight_bits=stored.flags.get("weights", BITS),
        cache_bits=stored.flags.get("kv", stored.checkpoint.kv or BITS),
    )


def _check_gpus(shape: Shape, gpus: int, name: str) -> None:
    """Each GPU takes as many heads as the others; cached ones may be there several times."""

    def fits(number: int) -> bool:
        cached = shape.kv_heads % number == 0 or number % shape.kv_heads == 0
        return shape.heads % number == 0 and cached

    if not fits(gpus):
        known = [str(n) for n in range(1, min(shape.heads, 64) + 1) if fits(n)]
        raise RequestError(
            f"{gpus} GPUs cannot share the {shape.heads} heads ({shape.kv_heads} cached) of "
            f"'{name}'; give --gpus {', '.join(known[:-1])} or {known[-1]}"
            if len(known) > 1
            else f"{gpus} GPUs cannot share the one head of '{name}'; leave out --gpus"
        )


def _server(
    request: PlanRequest,
    source: ModelSource,
    profile: HardwareProfile,
    step: Step,
    model: PlannedModel,
    spiking: SpikingConfig,
    stored: StoredWidths,
) -> Server:
    chip = profile.whole_chip
    assert chip is not None
    assert request.prompt is not None
    assert request.generate is not None
    variants = tuple(_variants(request, profile, step, model, spiking, stored))
    notes = tuple(_notes(profile, step, model, spiking, request.gpus is not None))
    found = predict(step, chip)
    return Server(
        source.name, profile, request.prompt, request.generate, step, found, variants, notes
    )


def _variants(
    request: PlanRequest,
    profile: HardwareProfile,
    step: Step,
    model: PlannedModel,
    spiking: SpikingConfig,
    stored: StoredWidths,
) -> Iterator[Variant]:
    """What a spiking version would cost, as far as anything can be said."""
    chip, shape = profile.whole_chip, model.shape
    assert chip is not None
    steps = spiking.timesteps
    if not layout(shape).converted:
        return
    every = replace(step, macs=steps * step.macs, activation_bytes=steps * step.activation_bytes)
    yield Variant(
        "spiking, every step a product",
        predict(every, chip).energy_j.value,
        f"on a GPU an event is a multiply-accumulate, so that {steps} time steps are {steps} times "
        "the products and activations; weights and cache are read once",
    )
    assert request.prompt is not None
    assert request.generate is not None
    alone = model.step(1, request.prompt, request.generate, step.gpus)
    share = _gathered(shape, spiking, request, stored)
    fewer = replace(alone, weight_bytes=share * alone.weight_bytes)
    dense = predict(alone, chip).energy_j.value
    yield Variant(
        "spiking, rows gathered, one sequence (assumed)",
        predict(fewer, chip).energy_j.value,
        f"an assumption that nobody has measured: a kernel that reads the {share:.0%} of weights "
        f"whose rows have an event at a spike rate of {request.spike_rate:g}, and costs nothing "
        f"else; the analog model alone on the chip costs {dense:.4g} J per token",
    )


def _gathered(
    shape: Shape, spiking: SpikingConfig, request: PlanRequest, stored: StoredWidths
) -> float:
    """Share of the bytes of weights that one token needs."""
    counts = plan_ssa(
        shape, decode(1), spiking, request.spike_rate, active_rate=request.active_rate
    )
    read = needed = 0.0
    for row in stored.rows(counts).layers:
        values, bits = row.tally.ops.get(Op.WEIGHT_READ, 0), row.weight_bits or BITS
        touched = row.tally.touched_weights
        read += values * bits
        needed += (values if touched is None else touched) * bits
    return needed / read if read else 1.0


def _notes(
    profile: HardwareProfile, step: Step, model: PlannedModel, spiking: SpikingConfig, said: bool
) -> Iterator[str]:
    if step.gpus == 1 and not said:
        yield "One GPU is taken to hold the model; give --gpus for several"
    if not layout(model.shape).converted:
        yield (
            "No spiking side: a model of this type is not converted here. On a GPU an event is a "
            "multiply-accumulate in any case, so that spikes save nothing there by themselves"
        )
    yield from _beyond(profile, step)
    yield (
        "Intervals are of measured over predicted energy, time and power of models that the fit "
        f"of '{profile.name}' had not seen"
    )


def _beyond(profile: HardwareProfile, step: Step) -> Iterator[str]:
    """What lies outside of what the prices were fitted on."""
    assert profile.whole_chip is not None
    fitted = profile.whole_chip.fitted
    for what, value, ends in (
        ("sequences side by side", step.sequences, fitted.sequences),
        ("positions of mean context", step.context, fitted.context),
        ("GPUs", step.gpus, fitted.gpus),
    ):
        if not 0.9 * ends[0] <= value <= 1.1 * ends[1]:
            yield (
                f"{value:,.0f} {what}: '{profile.name}' was fitted on {ends[0]:,.0f} to "
                f"{ends[1]:,.0f}, so that nobody knows how far off this is"
            )
