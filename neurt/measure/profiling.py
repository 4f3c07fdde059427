"""The verb `profile`: from a request to a run, by measuring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor

from energy import exposed_attention
from energy.meter import CountSettings
from hwmodels.pair import Machine
from neurt.closed_form.passes import check_stages
from neurt.families import label
from neurt.loading.faults import explains_device
from neurt.loading.models import LoadedModel
from neurt.loading.placement import compute_device
from neurt.loading.source import resolve
from neurt.measure.layerwise import (
    check_disk,
    open_streamed,
    stream_state,
    streamed_version,
)
from neurt.measure.memory import activation_bytes
from neurt.measure.objective import aim_of
from neurt.measure.pair import WINDOW, calibrate, load, spiking_version
from neurt.measure.planning import assemble, settings
from neurt.measure.scoring import count_both
from neurt.measure.stages import Counting, StepMeter, Witness
from neurt.measure.streamed import Counted, Side, count_streamed
from neurt.measure.verification import spikes_suffice, verify_analog, verify_fvcore, verify_spiking
from neurt.measure.widths import StoredWidths, stored_widths
from neurt.progress import Progress, Say, silent
from neurt.requests.passes import PassRequest, ProfileRequest
from neurt.spiking.config import SpikingConfig
from neurt.streaming.opened import OpenedModel
from neurt.text.data import Calibration, read_text, windows
from reports.kit.caveats import are_random
from reports.run.run import Phase
from reports.shown import Run


@explains_device
def run_profile(request: ProfileRequest, progress: Progress = silent, say: Say = silent) -> Run:
    """Count both variants of a model on text.

    Decode steps go through the cache that the passes before them have filled, and each is given
    the next token of the text rather than the one that the model would choose: both variants, and
    every run, do the same passes.
    """
    request.check()
    stages, profiles = request.stages, request.machines()
    source = resolve(request.model)
    text, text_name = read_text(request.text, source.directory, detokenise=request.detokenise)
    fits = partial(check_stages, stages, name=request.model, values=True)
    loaded: LoadedModel | OpenedModel
    if request.stream:
        loaded = open_streamed(source, request, fits, progress, say)
    else:
        loaded = load(source, request, fits, progress, say)
    longest = stages[-1].passes[-1].keys
    inputs = windows(
        loaded.tokenizer, text, tokens=longest, batch=request.batch, count=request.windows
    )
    window = min(loaded.shape.span, max(longest, WINDOW))
    calibration = calibrate(loaded, request, inputs, window)
    progress("loading the model", 1, 1)
    rest = calibration, inputs, text_name, profiles, progress, say
    if isinstance(loaded, OpenedModel):
        return _layer_by_layer(request, loaded, *rest)
    return measure(request, loaded, *rest)


def measure(
    request: PassRequest,
    loaded: LoadedModel,
    calibration: Calibration,
    inputs: Sequence[Tensor],
    text_name: str,
    profiles: tuple[Machine, ...],
    progress: Progress = silent,
    say: Say = silent,
) -> Run:
    """Count both variants of a model that is loaded on token ids (batch, tokens) per window."""
    stages, verify, fused = request.stages, False, False
    if isinstance(request, ProfileRequest):
        verify, fused = request.verify, request.compile_codes
    shape, conventions = loaded.shape, request.conventions
    counting = _counting(request, loaded)
    stored = stored_widths(loaded.source, loaded.weights, request.widths)
    aim = aim_of(request, loaded.weights, shape, stored)
    spiking = spiking_version(loaded, aim.spiking, calibration, progress, say, fused=fused)
    inputs = [ids.to(compute_device(loaded.model)) for ids in inputs]
    chosen, steps = spiking.choices, StepMeter(spiking)
    witnesses: tuple[Witness, Witness] = (silent, silent)
    if verify:
        witnesses = (
            partial(verify_analog, shape, conventions),
            partial(verify_spiking, shape, conventions, chosen),
        )
    asa = Counting(loaded.model, stages, "asa", witnesses[0], **counting)
    counting["timesteps"] = chosen.timesteps
    ssa = Counting(spiking, stages, "ssa", witnesses[1], steps.watching, **counting)
    with exposed_attention(loaded.model):
        quality = count_both(asa, ssa, inputs, progress, scored=_has_quality(loaded))
    if verify:
        verify_fvcore(loaded.model, spiking, inputs[0], progress)
        sides = "both models" if spikes_suffice(conventions) else "the analog model"
        say(f"Verified: hooks and fvcore agree on every row, hooks and plan on {sides}.")
    counted = Counted((asa.counts, ssa.counts), steps.counts(), quality)
    about = settings(request, chosen, shape)
    about |= {"text": text_name, "calibration": calibration.name, **aim.facts, **loaded.placed}
    return _assembled(request, counted, about, stored, profiles)


def _layer_by_layer(
    request: ProfileRequest,
    opened: OpenedModel,
    calibration: Calibration,
    inputs: Sequence[Tensor],
    text_name: str,
    profiles: tuple[Machine, ...],
    progress: Progress,
    say: Say,
) -> Run:
    """The same of a model of which one transformer layer is in memory at a time."""
    shape, out = opened.shape, request.out
    stored = stored_widths(opened.source, opened.weights, request.widths)
    aim = aim_of(request, opened.weights, shape, stored)
    tokens = [sum(ids.numel() for ids in texts) for texts in (calibration.windows, inputs)]
    converts = None if opened.spiking else aim.spiking
    check_disk(out, activation_bytes(shape, converts, *tokens))
    facts = request.model_dump(mode="json", exclude={"out", "hw"})
    state = stream_state(out, facts, [opened], [*calibration.windows, *inputs], say)
    spiking = streamed_version(opened, aim.spiking, calibration, state, progress, say)
    chosen = SpikingConfig.model_validate(spiking.model.config.spiking)
    analog = _counting(request, opened)
    sides = (
        Side("asa", opened.model, analog),
        Side("ssa", spiking, {**analog, "timesteps": chosen.timesteps}),
    )
    counted = count_streamed(
        sides, request.stages, inputs, state, progress, scored=_has_quality(opened)
    )
    state.remove()
    about = settings(request, chosen, shape)
    about |= {"text": text_name, "calibration": calibration.name, **aim.facts, **opened.placed}
    return _assembled(request, counted, about, stored, profiles)


def _counting(request: PassRequest, loaded: LoadedModel | OpenedModel) -> CountSettings:
    """How the analog model is counted."""
    return {
        "conventions": request.conventions,
        "label": label,
        "model": loaded.name,
        "weights": loaded.weights,
        "batch": request.batch,
    }


def _assembled(
    request: PassRequest,
    counted: Counted,
    about: Mapping[str, object],
    stored: StoredWidths,
    profiles: tuple[Machine, ...],
) -> Run:
    """The run of what was counted."""
    phases = [
        Phase(stage.name, analog, events, stage.generated)
        for stage, analog, events in zip(request.stages, *counted.counts, strict=True)
    ]
    run = assemble("profile", request, phases, profiles, about, stored, counted.steps)
    return replace(run, quality=counted.quality)


def _has_quality(loaded: LoadedModel | OpenedModel) -> bool:
    """Whether the analog model is what the spiking one should be like.

    Random weights predict nothing, and those that were trained as spikes no good analog model.
    """
    directory = loaded.source.directory
    is_taught = loaded.spiking is not None and (
        directory is not None and (directory / "analog").is_dir()
    )
    return not (is_taught or are_random(loaded.weights))
