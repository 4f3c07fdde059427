"""The verb `plan` of an analog model alone: of one that is not converted, or where that is asked.

No torch.
"""

from __future__ import annotations

from energy.counts import About
from energy.formulas import Mla
from neurt.closed_form.expert_rows import ASSUMED
from neurt.closed_form.passes import beyond, check_stages, longest_of
from neurt.closed_form.plan import plan_passes
from neurt.families import Experts, Head, has_conversion, layout
from neurt.families.parameters import parameters
from neurt.loading.sizes import resolve_sizes
from neurt.measure.planning import CLOSED_FORM, check_mla, inside, known_shape, now, versions
from neurt.measure.widths import stored_widths
from neurt.requests.base import RequestError
from neurt.requests.passes import PlanRequest
from reports.count.run import CountRun

#: Fields of a request that say something of a spiking model, or of a comparison with one.
_OF_SPIKES = (
    *("spiking", "spike_rate", "active_rate", "mixed", "latency_s"),
    *("dataflow", "encoding", "reuse"),
)
_RECORDED = {
    *("phase", "seq_len", "context", "batch", "windows", "prompt", "generate"),
    *("attention", "fusion", "widths", "room", "mla", "set"),
}


def is_analog_alone(request: PlanRequest) -> bool:
    """Whether a plan has no spiking side: nobody wants it, or nothing converts its family."""
    shape = resolve_sizes(request.model).shape
    return request.analog or (shape is not None and not has_conversion(shape))


def run_analog_plan(request: PlanRequest) -> CountRun:
    """Count the analog model in closed form.

    Raises:
        PlanError: If the model has fewer positions than tokens, or its sizes are not at hand.
        RequestError: If something is asked of a spiking model.
    """
    source = resolve_sizes(request.model)
    shape = known_shape(source)
    family = layout(shape)
    alone = "is planned alone" if has_conversion(shape) else "is not converted to spikes"
    given = request.model_fields_set & set(_OF_SPIKES) - {"spiking"}
    given |= request.spiking.model_fields_set
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise RequestError(
            f"{flags}: of a spiking model, and '{request.model}' ({family.name}) {alone}; leave "
            "that out"
        )
    request.check_single(f"'{request.model}' {alone}")
    stages, profiles = request.stages, request.profiles()
    check_stages(stages, shape, request.model, analog=True)
    check_mla(request, shape)
    about: About = {"model": source.name, "weights": CLOSED_FORM}
    stored = stored_widths(source, CLOSED_FORM, request.widths)
    passes = [one for stage in stages for one in stage.passes]
    counts = plan_passes(shape, passes, request.phase_name, request.conventions, **about)
    counts, machines = stored.rows(counts), stored.machines(profiles)
    settings = request.model_dump(mode="json", include=_RECORDED, exclude_none=True) | {
        "model_type": shape.model_type,
        "shape": shape.as_dict(),
        "parameters": parameters(shape)._asdict(),
        "widths_used": {it.name: stored.used(counts, it) for it in machines},
    }
    said = [f"{family.name} {alone}: the analog model, in closed form."]
    if shape.head is not Head.TOKENS:
        said.append(
            f"It ends in {shape.labels} labels of each {shape.head}: a score of every token, as "
            "transformers runs it, and no logits of a vocabulary."
        )
    if any(isinstance(kind.feedforward, Experts) for kind in shape.each):
        said.append(ASSUMED)
    said += (f"{x}." for x in inside(source))
    said += (f"{x}." for x in beyond(longest_of(stages), shape.positions, request.model))
    if request.mla is Mla.ABSORBED:
        said.append(
            "Decode as servers do it: W_UK absorbed in the queries and W_UV in the results, so "
            "that no keys or values are made of the latent cache; `count` runs the expanded form."
        )
    return CountRun(counts, machines, settings, versions(), now(), command="plan", said=tuple(said))
