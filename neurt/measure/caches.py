"""Caches of models of which one layer runs after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import Cache, PreTrainedModel

from neurt.measure.stages import cached
from neurt.streaming.skeleton import Call


def filled(model: PreTrainedModel, tokens: int) -> dict[str, Any]:
    """What `stages.cached` gives, with a cache that says it holds so many tokens.

    Outside of the layers nothing else is asked of it: positions and masks follow from it.
    """
    given = cached(model)
    [cache] = _caches(given)
    for depth in range(len(cache.layers)) if tokens else ():
        cache.update(torch.zeros(1, 1, tokens, 1), torch.zeros(1, 1, tokens, 1), depth)
    return given


def instead(call: Call, given: Mapping[str, Any], own: Mapping[str, Any]) -> Call:
    """What a model gives a layer, with the cache of another call of the model.

    Args:
        call: What it gives.
        given: What the model was called with; without a cache, that is all.
        own: See `stages.cached`.
    """
    caches = _caches(given)
    [other] = _caches(own)

    def swap(value: Any) -> Any:
        return other if any(value is cache for cache in caches) else value

    kwargs = {name: swap(value) for name, value in call.kwargs.items()}
    return Call(tuple(map(swap, call.args)), kwargs)


def _caches(given: Mapping[str, Any]) -> list[Cache]:
    return [each for each in given.values() if isinstance(each, Cache)]
