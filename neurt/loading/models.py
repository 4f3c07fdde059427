"""Load the analog model, and say where its weights came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from transformers import AutoConfig, GPT2Config, PreTrainedModel
from transformers import logging as transformers_logging

from neurt.families import Shape, family_of, read_shape
from neurt.loading.drawn import origin_of_random, random_model
from neurt.loading.gguf.file import load_gguf
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.names import config_of
from neurt.loading.placement import Placement, find_placement, place, placement_of
from neurt.loading.reading import configuration, from_pretrained
from neurt.loading.source import ModelError, ModelSource, cached_revision, check_head, resolve
from neurt.loading.spread import DeviceMap, Spread, spread_over
from neurt.loading.tokenizer import check_vocabulary, gpt2_tokenizer, tokenizer_for
from neurt.loading.weights import Weights, choose_weights, origin_of
from neurt.spiking.conversion import ConversionError, analog_of, check_converted
from neurt.spiking.modeling import SpikingLanguageModel, analog_class, spiking_class

__all__ = ["LoadedModel", "ModelError", "Weights", "gpt2_tokenizer", "load_model"]


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be counted."""

    source: ModelSource  #: where it comes from
    model: PreTrainedModel  #: the analog model, in evaluation mode
    tokenizer: Any  #: its tokenizer
    weights: str  #: where its weights came from, for example `random(seed=0)`
    why_random: str = ""  #: why pretrained weights were not used, where they were asked for
    #: the converted model, where a directory holds one; `model` then shares its parameters
    spiking: SpikingLanguageModel | None = None
    #: puts it on several devices, where that was asked for; whoever converts it does so before
    spread: Spread | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.source.name

    @cached_property
    def shape(self) -> Shape:
        """Its sizes; raises ShapeError if it is of no known family."""
        return read_shape(self.model.config.to_dict(), self.name)

    @property
    def placement(self) -> Placement:
        """On which device it is, and in which precision; of one that is spread, the first one."""
        return placement_of(self.model) if self.spread is None else self.spread.where

    @property
    def placed(self) -> dict[str, object]:
        """What records say of where it runs."""
        parts = {} if self.spread is None else {"device_map": dict(self.spread.parts)}
        return {**self.placement.facts, **parts}

    @property
    def announcement(self) -> str:
        """Whose weights they are, in a line that the user must read."""
        why = f" ({self.why_random})" if self.why_random else ""
        return f"{self.name}: weights={self.weights}{why}"


def load_model(
    model: str | ModelSource,
    weights: Weights = Weights.AUTO,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    device_map: DeviceMap | None = None,
    any_ids: bool = False,
    values: bool = True,
) -> LoadedModel:
    """Load a language model of a known family.

    Args:
        model: See `source.resolve`; or what that found.
        weights: Which weights to use. Only safetensors and GGUF are read, and no code.
        progress: Told how many tensors of a GGUF file are unpacked, which takes seconds for each
            billion parameters.
        device: Where it will run: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` or `xpu`.
        dtype: Of its weights and activations: `float32`, `bfloat16`, `float16`, or `auto`, what
            the checkpoint says on an accelerator and FP32 on the CPU. Random weights are drawn in
            FP32 on the CPU, so that a seed means the same ones everywhere.
        device_map: Where its parts go instead, see `spread.spread_over`; it is put there by
            `loaded.spread(loaded.model)`.
        any_ids: See `tokenizer.tokenizer_for`.
        values: Whether what it computes matters; see `drawn.random_model`.

    Raises:
        DeviceError: If the device is not there, or there is no such precision.
        ModelError: If the model is unknown, its weights cannot be had although they are required,
            or they do not fit its configuration or its tokenizer.
        GGUFError: If it is a GGUF file that cannot be loaded.
        ShapeError: If its configuration is of no known family.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    source = model if isinstance(model, ModelSource) else resolve(str(model))
    check_head(source.shape, source.name)
    where = find_placement(device, dtype, source)
    if device_map is not None:
        here = Placement(torch.device("cpu"), where.dtype, spread=True)
        loaded = _loaded(source, weights, seed, progress, here, any_ids=any_ids, values=values)
        return spread_later(loaded, device_map)
    return _loaded(source, weights, seed, progress, where, any_ids=any_ids, values=values)


def spread_later(loaded: LoadedModel, device_map: DeviceMap) -> LoadedModel:
    """A loaded model that knows where its parts are to go; see `spread.spread_over`."""
    if loaded.model.device.type == "meta":  # sizes alone are nowhere
        return loaded
    drawn = loaded.weights.startswith("random")
    spread = spread_over(device_map, loaded.model, loaded.source, drawn=drawn)
    return replace(loaded, spread=spread)


def _loaded(
    source: ModelSource,
    weights: Weights,
    seed: int,
    progress: Callable[[str, int, int], None] | None,
    where: Placement,
    *,
    any_ids: bool,
    values: bool,
) -> LoadedModel:
    random, why_not = choose_weights(source, weights)
    if source.is_converted:
        return _converted(source, random, where)
    if source.file is not None and not random:
        analog, tokenizer = load_gguf(source.file, progress)
        place(analog, where)
        check_vocabulary(tokenizer, analog.config.vocab_size, source.name)
        return LoadedModel(source, analog, tokenizer, origin_of(source))
    if random:
        analog = _random(source, seed, why_not, where, weightless=any_ids, values=values)
        origin = origin_of_random(analog, seed)
    else:
        analog, origin = _pretrained(source, analog_class, where), origin_of(source)
    tokenizer = tokenizer_for(source, analog.config, random=random, any_ids=any_ids)
    return LoadedModel(source, analog, tokenizer, origin, why_not)


def _converted(source: ModelSource, random: bool, where: Placement) -> LoadedModel:
    if random:
        raise ModelError(
            f"'{source.asked}' is a converted model, whose thresholds belong to its weights; use "
            "--weights pretrained"
        )
    spiking = _pretrained(source, spiking_class, where)
    assert isinstance(spiking, SpikingLanguageModel)
    try:
        check_converted(spiking)
    except ConversionError as error:
        raise ModelError(f"weights of '{source.where}' cannot be used: {error}") from error
    analog = analog_of(spiking)
    tokenizer = tokenizer_for(source, analog.config, random=False)
    return LoadedModel(source, analog, tokenizer, origin_of(source), spiking=spiking)


def _pretrained(
    source: ModelSource, class_of: Callable[[str], type[PreTrainedModel]], where: Placement
) -> PreTrainedModel:
    """The model, analog or converted."""
    shape = source.shape
    if shape is None:  # of the hub, which answers: refuse other architectures before the weights
        shape = read_shape(configuration(source).to_dict(), source.name)
        check_head(shape, source.name)
    asks = f"is it a {family_of(shape.model_type).name} language model?"
    return from_pretrained(class_of(shape.model_type), source, asks, where)


def _random(
    source: ModelSource,
    seed: int,
    why_not: str,
    where: Placement,
    *,
    weightless: bool,
    values: bool,
) -> PreTrainedModel:
    if source.file is not None:
        config = AutoConfig.for_model(**config_of(read_header(source.file)))
    elif source.directory is not None or cached_revision(source.where):
        config = configuration(source)
    elif source.shape is not None:
        shape = source.shape  # of a published GPT-2, which is known without the hub
        config = GPT2Config(
            n_layer=shape.layers,
            n_embd=shape.width,
            n_head=shape.heads,
            n_inner=shape.inner,
            vocab_size=shape.vocabulary,
            n_positions=shape.positions,
        )
    else:
        raise ModelError(
            f"the configuration of '{source.name}' is not in the local cache"
            f"{f' and {why_not}' if why_not else ''}; download it elsewhere and give the directory"
        )
    kind = analog_class(config.model_type)
    return random_model(kind, config, source, seed, where, weightless=weightless, values=values)
