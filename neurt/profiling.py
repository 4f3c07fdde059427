"""The verb `profile`: from a request to a run, by measuring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, check_against_fvcore, count_pass, exposed_attention
from energy.formulas import Attention, Conventions
from hwmodels import load_profiles
from neurt.convert import convert
from neurt.data import calibration_windows, read_text, windows
from neurt.gpt2 import GPT2Shape, label
from neurt.models import LoadedModel, Weights, load_model
from neurt.plan import Pass, check_pass, plan_asa, plan_ssa
from neurt.planning import now, settings, versions
from neurt.request import ProfileRequest
from neurt.source import resolve
from reports.run import Run

#: Called with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


class VerificationError(RuntimeError):
    """Two witnesses disagree about a count."""


def run_profile(
    request: ProfileRequest,
    progress: Progress = lambda _what, _done, _total: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Run:
    """Count both variants of a model on text.

    Args:
        request: What was asked for.
        progress: Told how far the work is.
        say: Given lines that the user must read.

    Raises:
        ProfileError: If a hardware profile cannot be loaded.
        ModelError: If the model cannot be loaded.
        TextError: If the text cannot be used.
        PlanError: If the sequence is longer than the model's positions.
        ConversionError: If the model cannot be converted.
        VerificationError: If `verify` is set and two witnesses disagree.
    """
    profiles = load_profiles(request.hw)
    shape = resolve(request.model).shape
    if shape is not None:  # before minutes are spent on loading
        check_pass(request.what, shape, request.model)
    text, text_name = read_text(request.text)

    progress("loading the model", 0, 1)
    loaded = load_model(request.model, Weights(request.weights), request.seed)
    say(_announce(loaded))
    shape = GPT2Shape.from_config(loaded.model.config.to_dict(), loaded.name)
    check_pass(request.what, shape, request.model)
    what = request.what
    inputs = windows(loaded.tokenizer, text, tokens=what.keys, batch=what.batch, count=what.repeats)
    calibration = calibration_windows(
        loaded.tokenizer, tokens=min(shape.positions, max(what.keys, 128))
    )
    progress("loading the model", 1, 1)

    how: dict[str, Any] = {
        "conventions": request.conventions,
        "label": label,
        "model": loaded.name,
        "weights": loaded.weights,
        "phase": what.phase,
        "batch": what.batch,
    }
    with exposed_attention(loaded.model):
        asa = _count(loaded.model, inputs, what, "counting ASA", progress, variant="asa", **how)
    spiking = convert(
        loaded.model,
        request.spiking,
        calibration,
        lambda done, total: progress("converting", done, total),
    )
    how |= {"variant": "ssa", "timesteps": request.timesteps}
    ssa = _count(spiking, inputs, what, "counting SSA", progress, **how)
    if request.verify:
        _verify(loaded, spiking, shape, request, asa, ssa, inputs[0], progress)
        say("Verified: fvcore, the plan and the hooks agree on every row.")
    facts = {"text": text_name, "calibration": "Moby-Dick, chapter 2 (packaged)"}
    return Run("profile", asa, ssa, profiles, settings(request) | facts, versions(), now())


def _announce(loaded: LoadedModel) -> str:
    why = f" ({loaded.why_random})" if loaded.why_random else ""
    return f"{loaded.name}: weights={loaded.weights}{why}"


def _count(
    model: PreTrainedModel,
    inputs: Sequence[Tensor],
    what: Pass,
    name: str,
    progress: Progress,
    /,
    **how: Any,
) -> Counts:
    counted = []
    for done, ids in enumerate(inputs):
        progress(name, done, len(inputs))
        run = _prefill(model, ids) if what.phase == "prefill" else _decode(model, ids)
        tokens = what.batch * what.queries
        counted.append(count_pass(model, run, tokens=tokens, **how))
    progress(name, len(inputs), len(inputs))
    return reduce(add, counted)


def _prefill(model: PreTrainedModel, ids: Tensor) -> Callable[[], object]:
    return lambda: model(input_ids=ids, use_cache=False)


def _decode(model: PreTrainedModel, ids: Tensor) -> Callable[[], object]:
    """One token after the others have filled the cache, uncounted."""
    cache = DynamicCache(config=model.config)
    if ids.shape[1] > 1:
        with torch.no_grad():
            model(input_ids=ids[:, :-1], past_key_values=cache, use_cache=True)
    return lambda: model(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)


def _verify(
    loaded: LoadedModel,
    spiking: PreTrainedModel,
    shape: GPT2Shape,
    request: ProfileRequest,
    asa: Counts,
    ssa: Counts,
    ids: Tensor,
    progress: Progress,
) -> None:
    """Compare with the plan on the whole run, and with fvcore on one prefill window."""
    what, conventions = request.what, request.conventions
    plans = [plan_asa(shape, what, conventions)]
    if conventions == Conventions():
        measured = {layer.name: layer.tally.spikes for layer in ssa.layers if layer.tally.slots}
        plans.append(plan_ssa(shape, what, request.spiking, measured))
    for counts, planned in zip((asa, ssa), plans, strict=False):
        for layer in counts.layers:
            expected = planned.layer(layer.name).tally
            if layer.tally != expected:
                raise VerificationError(
                    f"layer '{layer.name}' was counted as {layer.tally}, planned as {expected}"
                )
    full = Conventions(Attention.FULL)
    for model, variant in ((loaded.model, "asa"), (spiking, "ssa")):
        progress(f"fvcore on {variant.upper()}", 0, 1)
        if variant == "asa":
            with exposed_attention(model, fused=False):
                _agree(model, ids, full, variant)
        else:
            _agree(model, ids, full, variant)
        progress(f"fvcore on {variant.upper()}", 1, 1)


def _agree(model: PreTrainedModel, ids: Tensor, conventions: Conventions, variant: str) -> None:
    counts = count_pass(model, _prefill(model, ids), variant=variant, conventions=conventions)
    wrong = check_against_fvcore(model, ids, counts)
    if wrong:
        first = wrong[0]
        raise VerificationError(
            f"fvcore counts {first.theirs:,} MACs in layer '{first.layer}', our hooks "
            f"{first.ours:,} ({len(wrong)} layers differ)"
        )
