"""The verb `profile`: from a request to a run, by measuring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, check_against_fvcore, count_pass, exposed_attention
from energy.formulas import Attention, Conventions
from hwmodels import Op, load_profiles
from neurt.config import SpikingConfig
from neurt.convert import convert
from neurt.data import calibration_text, calibration_windows, check_ids, read_text, windows
from neurt.gpt2 import GPT2Shape, label
from neurt.models import LoadedModel, Weights, load_model
from neurt.passes import Pass, check_pass
from neurt.plan import plan_asa
from neurt.plan_spiking import plan_ssa
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
    source = resolve(request.model)
    shape = source.shape
    if shape is not None:  # before minutes are spent on loading
        check_pass(request.what, shape, request.model)
    text, text_name = read_text(request.text, source.directory)

    progress("loading the model", 0, 1)
    loaded = load_model(request.model, Weights(request.weights), request.seed)
    say(_announce(loaded))
    shape = GPT2Shape.from_config(loaded.model.config.to_dict(), loaded.name)
    check_pass(request.what, shape, request.model)
    what = request.what
    inputs = windows(loaded.tokenizer, text, tokens=what.keys, batch=what.batch, count=what.repeats)
    calibration = calibration_windows(
        loaded.tokenizer, tokens=min(shape.positions, max(what.keys, 128)), model=source.directory
    )
    check_ids([*inputs, *calibration], shape.vocabulary)
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
    chosen, facts = request.spiking, {"text": text_name}
    if loaded.spiking is None:
        spiking = convert(
            loaded.model,
            chosen,
            calibration,
            lambda done, total: progress("converting", done, total),
        )
        _, facts["calibration"] = calibration_text(source.directory)
    else:
        spiking = loaded.spiking
        chosen = SpikingConfig.model_validate(spiking.config.spiking)
        facts["calibration"] = "stored with the model"
        say(f"{loaded.name} is a converted model: T = {chosen.timesteps}, as stored with it.")
    how |= {"variant": "ssa", "timesteps": chosen.timesteps}
    ssa = _count(spiking, inputs, what, "counting SSA", progress, **how)
    if request.verify:
        _verify_plan(shape, request, chosen, asa, ssa)
        _verify_fvcore(loaded, spiking, inputs[0], progress)
        sides = "both models" if request.conventions == Conventions() else "the analog model"
        say(f"Verified: hooks and fvcore agree on every row, hooks and plan on {sides}.")
    return Run(
        "profile",
        reduce(add, asa),
        reduce(add, ssa),
        profiles,
        settings(request, chosen) | facts,
        versions(),
        now(),
    )


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
) -> list[Counts]:
    """Counts of each window."""
    counted = []
    for done, ids in enumerate(inputs):
        progress(name, done, len(inputs))
        run = _prefill(model, ids) if what.phase == "prefill" else _decode(model, ids)
        tokens = what.batch * what.queries
        counted.append(count_pass(model, run, tokens=tokens, **how))
    progress(name, len(inputs), len(inputs))
    return counted


def _prefill(model: PreTrainedModel, ids: Tensor) -> Callable[[], object]:
    return lambda: model(input_ids=ids, use_cache=False)


def _decode(model: PreTrainedModel, ids: Tensor) -> Callable[[], object]:
    """One token after the others have filled the cache, uncounted."""
    cache = DynamicCache(config=model.config)
    if ids.shape[1] > 1:
        with torch.no_grad():
            model(input_ids=ids[:, :-1], past_key_values=cache, use_cache=True)
    return lambda: model(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True)


def _verify_plan(
    shape: GPT2Shape,
    request: ProfileRequest,
    chosen: SpikingConfig,
    asa: Sequence[Counts],
    ssa: Sequence[Counts],
) -> None:
    """Compare each window with the closed form, given its spikes."""
    what, conventions = replace(request.what, repeats=1), request.conventions
    for counts in asa:
        _same(counts, plan_asa(shape, what, conventions))
    if conventions == Conventions():  # otherwise it matters which spikes there were, not how many
        for counts in ssa:
            spikes = {row.name: row.tally.spikes for row in counts.layers if row.tally.slots}
            _same(counts, plan_ssa(shape, what, chosen, spikes))


def _same(counts: Counts, planned: Counts) -> None:
    for layer in counts.layers:
        expected = planned.layer(layer.name).tally
        if layer.tally != expected:
            wrong = next(
                (op for op in Op if layer.tally.ops.get(op, 0) != expected.ops.get(op, 0)), None
            )
            raise VerificationError(
                f"layer '{layer.name}' was counted with another number of "
                f"{wrong or 'dense MACs, spikes or slots'} than planned"
            )


def _verify_fvcore(
    loaded: LoadedModel, spiking: PreTrainedModel, ids: Tensor, progress: Progress
) -> None:
    """Compare each row of one prefill window with fvcore, which counts all query-key pairs."""
    full = Conventions(Attention.FULL)
    progress("fvcore", 0, 2)
    with exposed_attention(loaded.model, fused=False):
        _agree(loaded.model, ids, full, "asa")
    progress("fvcore", 1, 2)
    _agree(spiking, ids, full, "ssa")
    progress("fvcore", 2, 2)


def _agree(model: PreTrainedModel, ids: Tensor, conventions: Conventions, variant: str) -> None:
    counts = count_pass(model, _prefill(model, ids), variant=variant, conventions=conventions)
    wrong = check_against_fvcore(model, ids, counts)
    if wrong:
        first = wrong[0]
        raise VerificationError(
            f"fvcore counts {first.theirs:,} MACs in layer '{first.layer}', our hooks "
            f"{first.ours:,} ({len(wrong)} layers differ)"
        )
