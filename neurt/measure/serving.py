"""`plan` on the prices of a whole chip: a server of a model in a steady state. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from energy.serving.predict import predict
from energy.serving.step import Step
from hwmodels import HardwareProfile, Op
from hwmodels.plain import several
from hwmodels.wholechip import WholeChip
from neurt.closed_form.passes import beyond, check_length, decode
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.closed_form.serving import BITS
from neurt.families import has_conversion
from neurt.measure.conversion import conversion_of
from neurt.measure.served_models import ServedModel, served_model
from neurt.requests.base import RequestError
from neurt.requests.passes import PlanRequest
from neurt.requests.sizes import each
from neurt.spiking.config import SpikingConfig
from reports.serving.served import Server, Variant

#: What a request may say beside the model and the hardware; the rest changes nothing here.
_USED = frozenset(
    ("model", "hw", "prompt", "generate", "batch", "gpus", "widths", "out", "force", "details")
) | frozenset(
    ("spiking", "spike_rate", "active_rate", "page", "pictures", "card", "carbon_intensity")
)

#: What is meant by a flag that has no effect, and how a server is asked for it.
_WAY_OUT = dict.fromkeys(
    ("phase", "seq_len", "context"),
    ", and give --prompt N and --generate N (--generate 1 is the prefill alone)",
)


def run_servers(request: PlanRequest, profiles: tuple[HardwareProfile, ...]) -> list[Server]:
    """Predict what a model costs on whole chips.

    Raises:
        RequestError: If the request says no prompt and answer, something that changes nothing
            there, or a number of GPUs that cannot share the heads of the model.
    """
    for name in sorted(request.model_fields_set - _USED):
        raise RequestError(
            f"--{name.replace('_', '-')} has no effect on '{profiles[0].name}', whose prices are "
            "those of a whole chip as a server; leave it out" + _WAY_OUT.get(name, "")
        )
    if request.prompt is None or request.generate is None:
        raise RequestError(
            f"the prices of '{profiles[0].name}' are of a server that answers requests; give "
            "--prompt N and --generate N (--generate 1 is the prefill alone)"
        )
    model = served_model(request.model, request.widths)
    if model.shape is not None:
        longest = request.prompt + request.generate - 1
        check_length(longest, model.shape, request.model, analog=True)
    gpus = request.gpus or 1
    model.check_gpus(gpus, "--gpus", RequestError)
    step = model.served.step(max(each(request.batch)), request.prompt, request.generate, gpus)
    return [_server(request, model, profile, step) for profile in profiles]


def _server(
    request: PlanRequest, model: ServedModel, profile: HardwareProfile, step: Step
) -> Server:
    chip, prompt, generate = profile.whole_chip, request.prompt, request.generate
    assert chip is not None
    assert prompt is not None
    assert generate is not None
    variants: tuple[Variant, ...] = ()
    if model.shape is not None and has_conversion(model.shape):
        alone = model.served.step(1, prompt, generate, step.gpus)
        variants = tuple(_variants(request, model, chip, step, alone))
    notes = tuple(
        _notes(profile, step, model, prompt + generate - 1, said=request.gpus is not None)
    )
    found = predict(step, chip)
    return Server(model.name, profile, prompt, generate, step, found, variants, notes)


def _variants(
    request: PlanRequest, model: ServedModel, chip: WholeChip, step: Step, alone: Step
) -> Iterator[Variant]:
    """What a spiking version would cost, as far as anything can be said.

    Args:
        request: How it is converted, and how often its neurons fire.
        model: The analog model.
        chip: Prices.
        step: What a step of the server does.
        alone: What it does with one sequence.
    """
    assert model.source is not None
    spiking = conversion_of(model.source, request)
    steps = spiking.timesteps
    every = replace(step, macs=steps * step.macs, activation_bytes=steps * step.activation_bytes)
    yield Variant(
        "spiking, every step a product",
        predict(every, chip).energy_j.value,
        f"on a GPU an event is a multiply-accumulate, so that {steps} time steps are {steps} times "
        "the products and activations; weights and cache are read once",
    )
    share = _gathered(request, model, spiking)
    fewer = replace(alone, weight_bytes=share * alone.weight_bytes)
    dense = predict(alone, chip).energy_j.value
    yield Variant(
        "spiking, rows gathered, one sequence (assumed)",
        predict(fewer, chip).energy_j.value,
        f"an assumption that nobody has measured: a kernel that reads the {share:.0%} of weights "
        f"whose rows have an event at a spike rate of {request.spike_rate:g}, and costs nothing "
        f"else; the analog model alone on the chip costs {dense:.4g} J per token",
    )


def _gathered(request: PlanRequest, model: ServedModel, spiking: SpikingConfig) -> float:
    """Share of the bytes of weights that one token needs."""
    assert model.shape is not None
    assert model.stored is not None
    rate, active = request.spike_rate, request.active_rate
    counts = plan_ssa(model.shape, decode(1), spiking, rate, active_rate=active)
    read = needed = 0.0
    for row in model.stored.rows(counts).layers:
        values, bits = row.tally.ops.get(Op.WEIGHT_READ, 0), row.weight_bits or BITS
        touched = row.tally.touched_weights
        read += values * bits
        needed += (values if touched is None else touched) * bits
    return needed / read if read else 1.0


def _notes(
    profile: HardwareProfile, step: Step, model: ServedModel, longest: int, *, said: bool
) -> Iterator[str]:
    if step.gpus == 1 and not said:
        yield "One GPU is taken to hold the model; give --gpus for several"
    if model.shape is None or not has_conversion(model.shape):
        yield (
            "No spiking side: a model of this type is not converted here. On a GPU an event is a "
            "multiply-accumulate in any case, so that spikes save nothing there by themselves"
        )
    if model.shape is not None:
        yield from beyond(longest, model.shape.positions, model.name)
    if model.narrowest < BITS:
        yield (
            f"Weights of {model.narrowest:g} bits save bytes here and no arithmetic: "
            f"multiply-accumulates have the price of {BITS}-bit ones, on which '{profile.name}' "
            "was fitted; a kernel that multiplies in fewer bits needs less"
        )
    yield from _too_large(profile, step, model)
    yield from _beyond(profile, step)
    yield (
        "Intervals are of measured over predicted energy, time and power of models that the fit "
        f"of '{profile.name}' had not seen"
    )


def _beyond(profile: HardwareProfile, step: Step) -> Iterator[str]:
    """What lies outside of what the prices were fitted on."""
    assert profile.whole_chip is not None
    fitted = profile.whole_chip.fitted
    for value, what, more, ends in (
        (step.sequences, "sequence", " side by side", fitted.sequences),
        (step.context, "position", " of mean context", fitted.context),
        (step.gpus, "GPU", "", fitted.gpus),
    ):
        if not 0.9 * ends[0] <= value <= 1.1 * ends[1]:
            yield (
                f"{several(round(value), what)}{more}: '{profile.name}' was fitted on "
                f"{ends[0]:,.0f} to {ends[1]:,.0f}, so that nobody knows how far off this is"
            )


#: Tokens that choose every expert between them.
_ALL_EXPERTS = 10_000


def _too_large(profile: HardwareProfile, step: Step, model: ServedModel) -> Iterator[str]:
    """What the memory of the GPUs does not hold: a step reads the whole cache."""
    assert profile.whole_chip is not None
    each = profile.whole_chip.memory_bytes
    weights = model.served.step(_ALL_EXPERTS, 1, 1, step.gpus).weight_bytes
    if each is not None and weights + step.cache_bytes > each * step.gpus:
        yield (
            f"Weights of {weights / 1e9:.3g} GB and caches of {step.cache_bytes / 1e9:.3g} GB do "
            f"not fit the {each / 1e9:.3g} GB of each of {several(step.gpus, 'GPU')}: give more "
            "--gpus, a smaller --batch, or narrower --widths"
        )
