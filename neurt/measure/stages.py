"""Counts of the stages of a request, pass by pass, through one key-value cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Unpack

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, count_pass
from energy.meter import CountSettings
from neurt.closed_form.passes import Pass, Stage
from neurt.progress import Progress, silent
from reports.run.run import merged

#: Given the counts of each pass as soon as they are known.
Witness = Callable[[Pass, Counts], None]
Watch = Callable[[], AbstractContextManager[None]]


def count_stages(
    model: PreTrainedModel,
    inputs: Sequence[Tensor],
    stages: Sequence[Stage],
    variant: str,
    /,
    progress: Progress = silent,
    witness: Witness = silent,
    watch: Watch = nullcontext,
    **settings: Unpack[CountSettings],
) -> list[Counts]:
    """Counts of each stage, over all windows.

    Args:
        model: Analog (with its attention exposed) or spiking.
        inputs: Token ids (batch, tokens), one tensor per window.
        stages: The passes, in the order in which they run.
        variant: `asa` or `ssa`.
        progress: Told how far the work is.
        witness: Given the counts of each pass.
        watch: Open while a pass is counted, for hooks of somebody else.
        **settings: See `energy.count_pass`.
    """
    passes = [(stage, step) for stage in stages for step in stage.passes]
    totals: dict[Stage, Counts] = {}
    name, done, total = f"counting {variant.upper()}", 0, len(inputs) * len(passes)
    for ids in inputs:
        calls = _calls(model, ids, [step for _, step in passes])
        for (stage, step), call in zip(passes, calls, strict=True):
            progress(name, done, total)
            tokens, phase = step.batch * step.queries, stage.phase
            with watch():
                counts = count_pass(
                    model, call, variant=variant, tokens=tokens, phase=phase, **settings
                )
            witness(step, counts)
            before = [totals[stage]] if stage in totals else []
            totals[stage] = merged([*before, counts], phase)
            done += 1
    progress(name, total, total)
    return [*totals.values()]


def _calls(
    model: PreTrainedModel, ids: Tensor, passes: Sequence[Pass]
) -> Iterator[Callable[[], object]]:
    """The forward of each pass over one window; each must be called before the next is drawn."""
    known = passes[0].keys - passes[0].queries
    if len(passes) == 1 and not known:
        yield partial(model, input_ids=ids, use_cache=False)
        return
    cached = partial(model, past_key_values=DynamicCache(config=model.config), use_cache=True)
    if known:  # the tokens before a decode step fill the cache, uncounted
        with torch.no_grad():
            cached(input_ids=ids[:, :known])
    for step in passes:
        yield partial(cached, input_ids=ids[:, step.keys - step.queries : step.keys])
