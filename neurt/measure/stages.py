"""Counts of the stages of a request, pass by pass, through one key-value cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from energy import Counts, count_pass
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
    name: str,
    /,
    progress: Progress = silent,
    witness: Witness = silent,
    watch: Watch = nullcontext,
    **how: Any,
) -> list[Counts]:
    """Counts of each stage, over all windows.

    Args:
        model: Analog (with its attention exposed) or spiking.
        inputs: Token ids (batch, tokens), one tensor per window.
        stages: The passes, in the order in which they run.
        name: What `progress` is told.
        progress: Told how far the work is.
        witness: Given the counts of each pass.
        watch: Open while a pass is counted, for hooks of somebody else.
        how: See `energy.count_pass`.
    """
    passes = [(i, one) for i, stage in enumerate(stages) for one in stage.passes]
    found: list[list[Counts]] = [[] for _ in stages]
    done, total = 0, len(inputs) * len(passes)
    for ids in inputs:
        calls = _calls(model, ids, [one for _, one in passes])
        for (i, one), call in zip(passes, calls, strict=True):
            progress(name, done, total)
            tokens = one.batch * one.queries
            with watch():
                counts = count_pass(model, call, tokens=tokens, phase=stages[i].phase, **how)
            witness(one, counts)
            found[i] = [merged([*found[i], counts], stages[i].phase)]
            done += 1
    progress(name, total, total)
    return [counts for [counts] in found]


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
    for one in passes:
        yield partial(cached, input_ids=ids[:, one.keys - one.queries : one.keys])
