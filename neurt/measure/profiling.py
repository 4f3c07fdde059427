"""The verb `profile`: from a request to a run, by measuring."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from energy import exposed_attention
from hwmodels import load_profiles
from neurt.closed_form.passes import check_stages
from neurt.families import label, read_shape
from neurt.loading.models import LoadedModel, Weights, load_model
from neurt.loading.source import resolve
from neurt.measure.planning import assemble, int8_prices, settings
from neurt.measure.stages import Progress, count_stages
from neurt.measure.steps import StepMeter
from neurt.measure.verification import spikes_suffice, verify_analog, verify_fvcore, verify_spiking
from neurt.requests.passes import ProfileRequest
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import convert
from neurt.text.data import calibration_text, calibration_windows, check_ids, read_text, windows
from reports.run.run import Phase, Run


def run_profile(
    request: ProfileRequest,
    progress: Progress = lambda _what, _done, _total: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Run:
    """Count both variants of a model on text.

    Decode steps go through the cache that the passes before them have filled, and each is given
    the next token of the text rather than the one that the model would choose: both variants, and
    every run, do the same passes.

    Args:
        request: What was asked for.
        progress: Told how far the work is.
        say: Given lines that the user must read.

    Raises:
        ProfileError: If a hardware profile cannot be loaded.
        ModelError: If the model cannot be loaded.
        TextError: If the text cannot be used.
        PlanError: If the request contradicts itself, or the sequence is longer than the model's
            positions.
        ConversionError: If the model cannot be converted.
        VerificationError: If `verify` is set and two witnesses disagree.
    """
    stages = request.stages
    profiles = load_profiles(request.hw)
    source = resolve(request.model)
    shape = source.shape
    if shape is not None:  # before minutes are spent on loading
        check_stages(stages, shape, request.model)
    text, text_name = read_text(request.text, source.directory, detokenise=request.detokenise)

    progress("loading the model", 0, 1)
    loaded = load_model(request.model, Weights(request.weights), request.seed, progress)
    say(_announce(loaded))
    shape = read_shape(loaded.model.config.to_dict(), loaded.name)
    check_stages(stages, shape, request.model)
    longest = stages[-1].passes[-1].keys
    inputs = windows(
        loaded.tokenizer, text, tokens=longest, batch=request.batch, count=request.windows
    )
    calibration = []
    if loaded.spiking is None:  # a converted model has its thresholds
        calibration = calibration_windows(
            loaded.tokenizer,
            tokens=min(shape.positions, max(longest, 128)),
            model=source.directory,
            own=request.calibration,
            total=request.calibration_tokens,
            detokenise=request.detokenise,
        )
    check_ids([*inputs, *calibration], shape.vocabulary)
    progress("loading the model", 1, 1)

    how: dict[str, Any] = {
        "conventions": request.conventions,
        "label": label,
        "model": loaded.name,
        "weights": loaded.weights,
        "batch": request.batch,
    }
    how["progress"] = progress
    witness = partial(verify_analog, shape, request)
    with exposed_attention(loaded.model):
        asa = count_stages(
            loaded.model, inputs, stages, "counting ASA", witness=witness, variant="asa", **how
        )
    chosen, facts = request.spiking, {"text": text_name}
    if loaded.spiking is None:
        spiking = convert(
            loaded.model,
            chosen,
            calibration,
            lambda done, total: progress("converting", done, total),
        )
        _, facts["calibration"] = calibration_text(
            source.directory, request.calibration, detokenise=request.detokenise
        )
    else:
        spiking = loaded.spiking
        chosen = SpikingConfig.model_validate(spiking.config.spiking)
        facts["calibration"] = "stored with the model"
        say(f"{loaded.name} is a converted model: T = {chosen.timesteps}, as stored with it.")
    how |= {"variant": "ssa", "timesteps": chosen.timesteps}
    steps = StepMeter(spiking)
    ssa = count_stages(
        spiking,
        inputs,
        stages,
        "counting SSA",
        witness=partial(verify_spiking, shape, request, chosen),
        watch=steps.watching,
        **how,
    )
    if request.verify:
        verify_fvcore(loaded.model, spiking, inputs[0], progress)
        sides = "both models" if spikes_suffice(request.conventions) else "the analog model"
        say(f"Verified: hooks and fvcore agree on every row, hooks and plan on {sides}.")
    phases = [
        Phase(stage.name, analog, events, stage.generated)
        for stage, analog, events in zip(stages, asa, ssa, strict=True)
    ]
    about = settings(request, chosen, shape) | facts
    return assemble(
        "profile", request, phases, profiles, about, steps.counts(), int8_prices(request)
    )


def _announce(loaded: LoadedModel) -> str:
    why = f" ({loaded.why_random})" if loaded.why_random else ""
    return f"{loaded.name}: weights={loaded.weights}{why}"
