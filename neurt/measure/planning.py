"""The verb `plan`: from a request to a run, without torch."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from energy.counts import About
from energy.formulas.touched import any_of
from hwmodels.pair import Machine, sides
from neurt.closed_form.passes import PlanError, beyond, check_stages, longest_of
from neurt.closed_form.plan import plan_passes
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import LatentAttention, Shape
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.tensors import part_of
from neurt.loading.sizes import resolve_sizes, wrapped_in
from neurt.loading.source import ModelSource
from neurt.measure.conversion import conversion_of
from neurt.measure.widths import StoredWidths, stored_widths
from neurt.requests.base import RequestError
from neurt.requests.passes import PassRequest, PlanRequest
from neurt.spiking.config import SpikingConfig
from reports.run.run import Phase, merged
from reports.run.steps import StepCount
from reports.shown import Run

#: Where the weights of a plan come from.
CLOSED_FORM = "none(closed form)"


def has_latent_cache(shape: Shape) -> bool:
    """Whether the cache of a model holds latent vectors."""
    return any(isinstance(kind.mixer, LatentAttention) for kind in shape.each)


def check_mla(request: PlanRequest, shape: Shape) -> None:
    """Raise RequestError for a form of latent attention where a model has none."""
    if request.mla is not None and not has_latent_cache(shape):
        raise RequestError(
            f"--mla has no effect on '{request.model}', whose cache holds keys and values and no "
            "latent vectors; leave it out"
        )


def run_plan(request: PlanRequest) -> Run:
    """Count both variants in closed form."""
    request.check()
    stages, conventions = request.stages, request.conventions
    profiles = request.machines()
    source = resolve_sizes(request.model)
    spiking, shape = conversion_of(source, request), known_shape(source)
    check_stages(stages, shape, request.model)
    check_mla(request, shape)
    about: About = {"model": source.name, "weights": CLOSED_FORM}
    stored = stored_widths(source, CLOSED_FORM, request.widths)
    rate, active = request.spike_rate, request.active_rate
    phases = [
        Phase(
            stage.name,
            plan_passes(shape, stage.passes, stage.phase, conventions, **about),
            merged(
                (
                    plan_ssa(shape, x, spiking, rate, conventions, active_rate=active, **about)
                    for x in stage.passes
                ),
                stage.phase,
            ),
            stage.generated,
        )
        for stage in stages
    ]
    chosen = settings(request, spiking, shape) | {"spike_rate": rate}
    said = (assumed_activity(rate, active, spiking.timesteps), *inside(source))
    chosen["assumed"] = ". ".join(said)
    for sentence in beyond(longest_of(stages), shape.positions, request.model):
        chosen["beyond"] = sentence
    return assemble("plan", request, phases, profiles, chosen, stored)


def assumed_activity(rate: float, active: float | None, timesteps: int) -> str:
    """What the rows of weights, of K and of V that events need follow from, in a sentence."""
    share = any_of(rate, timesteps) if active is None else active
    why = "1 - (1 - r)^T, slots independent" if active is None else "as given"
    return (
        f"an entry of a vector has a spike in some time step with the chance A = {share:.4g} "
        f"({why}), and n tokens of a call need 1 - (1 - A)^n of the rows of weights (tokens "
        "independent; those of a text are not, and need fewer)"
    )


def inside(source: ModelSource) -> tuple[str, ...]:
    """Says that a model is inside of another one, or its file a part, without a period."""
    if source.file is not None:
        part, parts = part_of(read_header(source.file))
        known = f"'{source.file}' is part {part} of {parts}: its header has the sizes of all"
        return (known,) if parts > 1 else ()
    whole = wrapped_in(source)
    if not whole:
        return ()
    return (f"The language model inside of a '{whole}' is planned, and nothing that reads images",)


def known_shape(source: ModelSource) -> Shape:
    """The sizes of a model, without the network; raises PlanError if only the hub knows them."""
    if source.shape is None:
        raise PlanError(
            f"the sizes of '{source.asked}' are not in the local cache; give a directory with its "
            "config.json"
        )
    return source.shape


def assemble(
    command: str,
    request: PassRequest,
    phases: Sequence[Phase],
    profiles: tuple[Machine, ...],
    chosen: Mapping[str, object],
    stored: StoredWidths,
    steps: tuple[StepCount, ...] = (),
) -> Run:
    """The run that a request led to.

    Args:
        command: Its verb.
        request: What was asked for.
        phases: What was counted.
        profiles: The hardware as the request runs it.
        chosen: What was chosen, for `run.json`.
        stored: How wide its checkpoint is.
        steps: Spikes by time step, where they were measured.
    """
    phases = [replace(x, asa=stored.rows(x.asa), ssa=stored.rows(x.ssa)) for x in phases]
    asa = merged((phase.asa for phase in phases), request.phase_name)
    machines = stored.machines(profiles)
    each = [one for it in machines for one in sides(it)]
    return Run(
        command,
        asa,
        merged((phase.ssa for phase in phases), request.phase_name),
        machines,
        {**chosen, "widths_used": {it.name: stored.used(asa, it) for it in each}},
        versions(),
        now(),
        request=tuple(phases) if len(phases) > 1 else (),
        dataflow=request.dataflow,
        latency_s={str(variant): s for variant, s in request.latency_s.items()},
        steps=steps,
        int8={name: stored.machine(it) for name, it in request.siblings("int8").items()},
    )


def settings(request: PassRequest, spiking: SpikingConfig, shape: Shape) -> dict[str, object]:
    """What was asked for, the sizes of the model and how it was converted, for `run.json`."""
    elsewhere = {"out", "model", "hw", "asa_hw", "ssa_hw"}
    asked = request.model_dump(mode="json", exclude=elsewhere, exclude_none=True)
    conversion = spiking.model_dump(mode="json")
    # Of a request, the lengths of single passes say nothing.
    for key in ("seq_len", "context") if request.prompt is not None else ():
        asked.pop(key)
    what = {"phase": request.stages[0].name if request.prompt is None else "request"}
    # Within its span a model with windows is one without.
    plain = replace(shape, positions=shape.span, kinds=()).as_dict()
    about = {"timesteps": spiking.timesteps, "spiking": conversion, "shape": plain}
    return asked | what | about


def versions() -> dict[str, str]:
    """Versions of this package and of what the numbers depend on."""
    versions = {"python": platform.python_version()}
    for package in ("neurt-energy", "torch", "transformers", "fvcore", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def now() -> str:
    """The time in ISO format, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
