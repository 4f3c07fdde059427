"""Models with random weights, or with none."""

from __future__ import annotations

import copy
import warnings
from functools import partial
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel

from neurt.loading.memory import check_fits
from neurt.loading.placement import ON_CPU, Placement, place
from neurt.loading.reading import UNFIT, unmade
from neurt.loading.source import ModelError, ModelSource


def random_model(
    kind: Any,
    config: PretrainedConfig,
    source: ModelSource,
    seed: int,
    where: Placement = ON_CPU,
    *,
    weightless: bool = False,
) -> PreTrainedModel:
    """A model with random weights that the seed decides, in evaluation mode.

    They are drawn in FP32 on the CPU, and are the same in any place, up to rounding.

    With `weightless` it has none where they do not fit into memory: sizes alone, on the meta
    device, with attention and experts of plain products, which need no value.

    Raises:
        ModelError: If they do not fit into memory, or no model can be made of its configuration.
    """
    try:
        with warnings.catch_warnings():
            # Of a size of 0, which fails with a sentence as soon as the model is run.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            try:
                check_fits(partial(kind, config), source.name, ModelError)
            except ModelError:
                if not weightless:
                    raise
                return _of_sizes(kind, config, where.dtype)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                model: PreTrainedModel = kind(config)
            place(model, where)
    except UNFIT as error:
        raise unmade(source, error) from error
    model.eval()
    return model


def _of_sizes(kind: Any, config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """A model without weights."""
    config = copy.deepcopy(config)
    rotation = getattr(config.get_text_config(), "rope_parameters", None) or {}
    if rotation.get("rope_type") == "dynamic":  # whose frequencies follow from values
        rotation["rope_type"] = "default"
    with torch.device("meta"):
        model: PreTrainedModel = kind(config)
    place(model, Placement(torch.device("meta"), dtype))
    model.set_attn_implementation("eager")
    if getattr(model.config, "_experts_implementation", None) is not None:
        model.set_experts_implementation("batched_mm")
    model.eval()
    return model


def origin_of_random(model: PreTrainedModel, seed: int) -> str:
    """What random weights are called, or none."""
    return "none" if model.device.type == "meta" else f"random(seed={seed})"
