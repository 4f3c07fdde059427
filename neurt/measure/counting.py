"""The verb `count`: a model alone, of whatever family, measured and priced."""

from __future__ import annotations

from functools import partial

import torch
from transformers import PreTrainedModel

from energy import exposed_attention
from energy.layers.trial import attempt
from energy.meter import CountSettings
from hwmodels.errors import UserError
from neurt.closed_form.passes import PlanError, Stage, beyond, check_positions, check_stages
from neurt.families import Shape
from neurt.loading.faults import explains_device
from neurt.loading.foreign import for_length, foreign, load_foreign
from neurt.loading.lengths import positions_of
from neurt.loading.models import LoadedModel, ModelError, Weights
from neurt.loading.naming import naming
from neurt.loading.placement import compute_device
from neurt.loading.reading import UNFIT, unrun
from neurt.loading.source import resolve
from neurt.loading.tokenizer import Folded
from neurt.measure.pair import load
from neurt.measure.planning import has_latent_cache, now, versions
from neurt.measure.stages import Counting, Witness, cached
from neurt.measure.verification import agree_with_witnesses, verify_analog
from neurt.measure.widths import stored_widths
from neurt.progress import Progress, Say, silent
from neurt.requests.passes import CountRequest
from neurt.text.data import check_ids, read_text, windows
from reports.count.run import CountRun

#: What of the request is recorded: the rest is of a conversion.
_CHOSEN = {
    *("phase", "seq_len", "context", "batch", "windows"),
    *("attention", "weights", "seed", "verify", "zeros"),
    *("fusion", "widths", "room"),
}


@explains_device
def run_count(request: CountRequest, progress: Progress = silent, say: Say = silent) -> CountRun:
    """Count an analog model and price it.

    A model of a known family is counted as `profile` counts it: a product outside of counted
    layers is an error. Of any other, such products are counted from the shapes of their operands,
    in rows that say so.

    Raises:
        ModelError: If the model cannot be loaded, or is a converted one.
        PlanError: If the sequence is longer than the positions that the model learned, or the model
            cannot decode through a cache.
    """
    [stage] = request.stages
    profiles = request.profiles()
    loaded, shape, others = _load(request, stage, progress, say)
    model = loaded.model
    weightless = model.device.type == "meta"
    if weightless:
        say(_without_weights(request))
    elif loaded.spread is not None:
        loaded.spread(model)
    text, text_name = read_text(request.text, loaded.source.directory)
    if isinstance(loaded.tokenizer, Folded):
        text_name += f", ids of GPT-2 modulo {loaded.tokenizer.entries}"
    longest = stage.passes[-1].keys
    inputs = windows(
        loaded.tokenizer, text, tokens=longest, batch=request.batch, count=request.windows
    )
    check_ids(inputs, model.config.get_text_config().vocab_size)
    inputs = [ids.to(compute_device(model)) for ids in inputs]
    if shape is None and stage.passes[0].queries < longest:
        check_cache(model, request.model)
    progress("loading the model", 1, 1)

    witness: Witness = silent
    if shape is not None and request.verify:
        witness = partial(verify_analog, shape, request.conventions)
    with exposed_attention(model, partial=others):
        shared: CountSettings = {"loose": others, "label": naming(model)}
        settings: CountSettings = {
            **shared,
            "model": loaded.name,
            "weights": loaded.weights,
            "batch": request.batch,
            "conventions": request.conventions,
        }
        counting = Counting(model, [stage], "asa", witness, **settings)
        runs = len(inputs) * counting.runs
        progress("counting", 0, runs)
        try:
            for done, _ in enumerate((x for ids in inputs for x in counting.passes(ids)), 1):
                progress("counting", done, runs)
        except UNFIT as error:
            failed = (
                None if isinstance(error, UserError) else unrun(model, request.model, inputs[0])
            )
            raise failed or error from error
        [counts] = counting.counts
    if request.verify:
        progress("fvcore", 0, 1)
        agreed = agree_with_witnesses(model, inputs[0], undeclared=others, **shared)
        progress("fvcore", 1, 1)
        plan = "" if shape is None else ", hooks and plan in every number"
        say(f"Verified: {agreed}{plan}.")
    if shape is not None and stage.name == "decode" and has_latent_cache(shape):
        say(
            "transformers makes keys and values of the whole latent cache in each step; what "
            "servers do instead: `plan --mla absorbed`."
        )
    stored = stored_widths(loaded.source, loaded.weights, request.widths)
    counts, machines = stored.rows(counts), stored.machines(profiles)
    chosen = request.model_dump(mode="json", include=_CHOSEN) | {
        "phase": stage.name,
        "text": text_name,
        "model_type": model.config.model_type,
        **loaded.placed,
        "shape": shape and shape.as_dict(),
        "widths_used": {it.name: stored.used(counts, it) for it in machines},
    }
    return CountRun(counts, machines, chosen, versions(), now())


def _load(
    request: CountRequest, stage: Stage, progress: Progress, say: Say
) -> tuple[LoadedModel, Shape | None, bool]:
    """The model, its sizes where its family declares them, and whether transformers loads it."""
    other, longest = foreign(request.model), stage.passes[-1].keys
    values = request.zeros or request.verify
    if other is None:
        source = resolve(request.model)
        fits = partial(check_stages, [stage], name=request.model, analog=True)
        loaded = load(
            source,
            request,
            fits,
            progress,
            say,
            any_ids=True,
            analog=True,
            values=values,
        )
        if loaded.spiking is not None:
            raise ModelError(
                f"'{request.model}' is a converted model; give its analog one, or use profile, "
                "which counts both"
            )
        _say_beyond(longest, loaded.shape.positions, request, say)
        return loaded, loaded.shape, False
    progress("loading the model", 0, 1)
    positions = other.shape.positions if other.shape else positions_of(other.config) or longest
    fitting = for_length(other, longest)
    if fitting is None:
        check_positions(longest, positions, request.model, "--seq-len or --context")
    loaded = load_foreign(
        fitting or other,
        Weights(request.weights),
        request.seed,
        device=request.device,
        dtype=request.dtype,
        values=values,
        device_map=request.device_map,
    )
    say(loaded.announcement)
    _say_beyond(longest, positions, request, say)
    # Of a model of text and images the plan is that of the language model inside.
    planned = other.shape and other.shape.model_type == loaded.model.config.model_type
    return loaded, other.shape if planned else None, True


def _say_beyond(longest: int, positions: int, request: CountRequest, say: Say) -> None:
    for sentence in beyond(longest, positions, request.model):
        say(f"{sentence}.")


def _without_weights(request: CountRequest) -> str:
    """What a count of sizes alone assumes; PlanError if what is asked needs values."""
    for flag in ("zeros", "verify"):
        if getattr(request, flag):
            raise PlanError(
                f"--{flag} needs values, and the weights of '{request.model}' do not fit into "
                "memory; count without it"
            )
    return (
        "No weights are made, as no dense count depends on random ones: counted from sizes alone; "
        "of experts, the number that is expected if tokens choose evenly."
    )


def check_cache(model: PreTrainedModel, name: str) -> None:
    """Make sure that a model whose code nobody tried remembers tokens in the cache it is given."""
    [cache, _] = (given := cached(model)).values()
    first = torch.zeros(1, 1, dtype=torch.long, device=compute_device(model))
    attempt(model, input_ids=first, **given)
    # A layer without attention keeps a state instead.
    if attempt(cache.get_seq_length) != 1 and not attempt(cache.has_previous_state):
        raise PlanError(
            f"'{name}' ({type(model).__name__}) does not keep the tokens before a new one in a "
            "key-value cache, so its decode cannot be counted; use --phase prefill"
        )
