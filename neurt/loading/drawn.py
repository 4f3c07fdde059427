"""Models with random weights, or with none."""

from __future__ import annotations

import copy
import warnings
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache, PretrainedConfig, PreTrainedModel

from energy.layers.trial import attempt
from neurt.loading.memory import check_fits
from neurt.loading.placement import ON_CPU, Placement, place
from neurt.loading.reading import UNFIT, unmade
from neurt.loading.source import ModelError, ModelSource

#: Weights that take seconds to draw: a quarter of a billion in FP32.
LARGE_BYTES = 1_000_000_000


def random_model(
    kind: Any,
    config: PretrainedConfig,
    source: ModelSource,
    seed: int,
    where: Placement = ON_CPU,
    *,
    weightless: bool = False,
    values: bool = True,
) -> PreTrainedModel:
    """A model with random weights that the seed decides, in evaluation mode.

    They are drawn in FP32 on the CPU, and are the same in any place, up to rounding.

    With `weightless` it has none where they do not fit into memory: sizes alone, on the meta
    device, with attention and experts of plain products, which need no value. Where no `values`
    are asked for, a model of more than `LARGE_BYTES` has none either, if it runs without and has no
    experts, whose choice is one of values.

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
            if weightless and not values and where.device.type == "cpu":
                alone = _of_sizes(kind, config, where.dtype)
                if _large(alone) and _runs(alone):
                    return alone
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                model: PreTrainedModel = kind(config)
            place(model, where)
    except UNFIT as error:
        raise unmade(source, error) from error
    model.eval()
    return model


def _large(model: PreTrainedModel) -> bool:
    """Whether weights of one precision take long to draw, and are chosen by no value."""
    mixes = any(type(module).__name__.endswith("Experts") for module in model.modules())
    return not mixes and 4 * model.num_parameters() > LARGE_BYTES


def _runs(model: PreTrainedModel) -> bool:
    """Whether it runs without values, behind a cache."""
    ids = torch.zeros(1, 2, dtype=torch.long, device="meta")
    cache = DynamicCache(config=model.config)
    return attempt(model, input_ids=ids, past_key_values=cache, use_cache=True) is not None


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
