"""A model whose weights stay in its files until a layer of it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from transformers import AutoConfig, PretrainedConfig
from transformers import logging as transformers_logging

from neurt.families import Shape, family_of, read_shape
from neurt.loading.hub import download_weights
from neurt.loading.placement import Placement, find_placement
from neurt.loading.reading import UNFIT, configuration, unmade
from neurt.loading.source import ModelSource, resolve
from neurt.loading.stored import Stored, StoredGGUF, stored
from neurt.loading.tokenizer import tokenizer_for
from neurt.loading.weights import Weights, choose_weights, origin_of
from neurt.spiking.config import SpikingConfig
from neurt.spiking.conversion import analog_config, spiking_config
from neurt.spiking.modeling import analog_class, spiking_class
from neurt.streaming.skeleton import Streamed, StreamError, skeleton


@dataclass(frozen=True)
class OpenedModel:
    """A model ready to be run layer by layer; the same of a `LoadedModel` where names are alike."""

    source: ModelSource  #: where it comes from
    model: Streamed  #: the analog model
    tokenizer: Any  #: its tokenizer
    weights: str  #: where its weights come from
    #: the converted model, where a directory holds one; `model` then shares its weights
    spiking: Streamed | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.source.name

    @cached_property
    def shape(self) -> Shape:
        """Its sizes."""
        return read_shape(self.model.model.config.to_dict(), self.name)

    @property
    def announcement(self) -> str:
        """Whose weights they are, in a line that the user must read."""
        return f"{self.name}: weights={self.weights}, layer by layer"

    @property
    def placement(self) -> Placement:
        """On which device its layers run, and in which precision."""
        return self.model.where

    @property
    def placed(self) -> dict[str, object]:
        """What records say of where it runs."""
        return {**self.placement.facts}

    @property
    def stored(self) -> Stored:
        """Its checkpoint."""
        return self.model.stored

    def converted(self, choices: SpikingConfig) -> Streamed:
        """Its conversion, whose thresholds are still to be found."""
        config = self.model.model.config
        kind = spiking_class(config.model_type)
        empty = skeleton(kind, spiking_config(config, choices))
        return Streamed(empty, self.stored, self.placement)


def open_model(
    model: str | ModelSource,
    weights: Weights = Weights.AUTO,
    *,
    device: str = "auto",
    dtype: str = "auto",
) -> OpenedModel:
    """Open a model, of which nothing but names and shapes is read.

    Args:
        model: See `source.resolve`; or what that found.
        weights: Which weights to use; random ones are no file.
        device: Where its layers run; see `models.load_model`.
        dtype: Of weights and activations; see there too.

    Raises:
        DeviceError: If the device is not there.
        StreamError: If its weights are in no file, or its class cannot be run layer by layer.
        ModelError: If it is unknown, or its files do not fit its configuration or tokenizer.
        GGUFError: If it is a GGUF file that cannot be used.
        ShapeError: If its configuration is of no known family.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    source = model if isinstance(model, ModelSource) else resolve(str(model))
    random, why_not = choose_weights(source, weights)
    if random:
        why = f" ({why_not})" if why_not else ""
        raise StreamError(
            f"--stream reads weights from files layer by layer, and those of '{source.asked}' would"
            f" be random{why}; give a directory that has them, or leave out --stream"
        )
    where = find_placement(device, dtype, source)
    if source.file is not None:
        return _of_gguf(source, StoredGGUF(source.file), where)
    if source.directory is None:
        local = replace(source, directory=download_weights(source.where))
    else:
        local = source
    config = configuration(local)
    kind, converted = analog_class(config.model_type), source.is_converted
    try:
        analog = skeleton(kind, analog_config(config) if converted else config)
        whole = skeleton(spiking_class(config.model_type), config) if converted else analog
    except UNFIT as error:
        if isinstance(error, StreamError):
            raise
        raise unmade(source, error) from error
    asks = f"is it a {family_of(config.model_type).name} language model?"
    held = stored(local, whole, asks)
    tokenizer = tokenizer_for(source, analog.config, random=False)
    spiking = Streamed(whole, held, where) if converted else None
    return OpenedModel(source, Streamed(analog, held, where), tokenizer, origin_of(source), spiking)


def _of_gguf(source: ModelSource, held: StoredGGUF, where: Placement) -> OpenedModel:
    config: PretrainedConfig = AutoConfig.for_model(**held.config)
    analog = skeleton(analog_class(config.model_type), config)
    tokenizer = tokenizer_for(source, config, random=False)
    return OpenedModel(source, Streamed(analog, held, where), tokenizer, origin_of(source))
