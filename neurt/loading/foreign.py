"""Decoders that no family declares: any other causal language model of transformers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    PretrainedConfig,
)
from transformers import logging as transformers_logging
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from hwmodels.plain import quoted
from neurt.families import (
    MAX_LAYERS,
    ContradictionError,
    Shape,
    ShapeError,
    is_own,
    read_shape,
)
from neurt.loading.drawn import origin_of_random, random_model
from neurt.loading.lengths import lengthened
from neurt.loading.models import LoadedModel, spread_later
from neurt.loading.placement import Placement, find_placement
from neurt.loading.reading import (
    UNFIT,
    configuration,
    from_pretrained,
    unmade,
)
from neurt.loading.source import (
    ADAPTER,
    ModelError,
    ModelSource,
    cached_file,
    check_head,
    read_config,
    resolve,
    why_unreachable,
)
from neurt.loading.spread import DeviceMap
from neurt.loading.tokenizer import tokenizer_for
from neurt.loading.weights import Weights, choose_weights, origin_of

_ASKS = "they and its config.json do not belong together"


class Foreign(NamedTuple):
    """A decoder that transformers alone can load: of no family, or of one that is not converted."""

    source: ModelSource  #: where it comes from, without a shape
    config: PretrainedConfig  #: its configuration
    why: ShapeError | None  #: why no family reads it
    shape: Shape | None = None  #: its sizes, where a family reads them


def foreign(model: str) -> Foreign | None:
    """Find out whether a `--model` argument means a decoder that no family declares.

    Returns:
        The decoder; None where `models.load_model` is able to load it, or to say why not.

    Raises:
        ShapeError: If it is an encoder, an encoder with a decoder, or gives one size twice.
        ModelError: If there is no such model, or transformers cannot read its configuration.
        GGUFError: If it is a GGUF file of another architecture.
    """
    transformers_logging.set_verbosity_error()
    try:
        source = resolve(model)
        if source.file is not None:
            return None
        if source.shape is not None and not is_own(source.shape.model_type):
            check_head(source.shape, source.name)
            plain = replace(source, shape=None)
            return Foreign(plain, configuration(source), None, source.shape)
        if source.shape is not None or source.hub_id is None or why_unreachable(source.hub_id):
            return None
        config = configuration(source)
        shape = read_shape(config.to_dict(), model)
        if not is_own(shape.model_type):
            check_head(shape, source.name)
            return Foreign(source, config, None, shape)
    except ContradictionError:  # which transformers settles by the order of the keys
        raise
    except ShapeError as error:
        path = Path(model)
        if path.suffix == ".gguf" and path.is_file():
            raise
        directory = path.parent if path.name == "config.json" else path
        if (directory / ADAPTER).is_file() and not (directory / "config.json").exists():
            raise
        if directory.is_dir():
            source = ModelSource(directory.resolve().name, None, directory, None)
        else:
            source = ModelSource(model, model, None, None)
        config = _config(source, error)
        if not _is_decoder(config):
            raise _not_a_decoder(model, config) from error
        return Foreign(source, config, error)
    return None


def _config(source: ModelSource, why: ShapeError) -> PretrainedConfig:
    try:
        return configuration(source)
    except ModelError as error:
        file = source.directory and source.directory / "config.json"
        file = file or cached_file(source.where, "config.json")
        kind = read_config(file).get("model_type") if file else None
        # Of a type that only transformers knows, it is transformers that knows what is wrong.
        if isinstance(kind, str) and kind in CONFIG_MAPPING and not is_own(kind):
            raise
        raise why from error


def _not_a_decoder(model: str, config: PretrainedConfig) -> ShapeError:
    kind = quoted(config.model_type)
    encodes = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    encodes &= not config.is_encoder_decoder
    way_out = "; one made a decoder has 'is_decoder': true in its config.json" if encodes else ""
    return ShapeError(
        f"model '{model}' is a {kind}, which is no decoder that stands alone, as those that are "
        f"counted{way_out}"
    )


def _is_decoder(config: PretrainedConfig) -> bool:
    """Whether transformers has a causal language model for it that is one as it is configured."""
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or config.is_encoder_decoder:
        return False
    # An encoder has a language model with masks, and can be made a decoder.
    encodes = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return not encodes or bool(getattr(config, "is_decoder", False))


def load_foreign(
    decoder: Foreign,
    weights: Weights = Weights.AUTO,
    seed: int = 0,
    *,
    device: str = "auto",
    dtype: str = "auto",
    device_map: DeviceMap | None = None,
    values: bool = True,
) -> LoadedModel:
    """Load a decoder that no family declares; the rest as in `models.load_model`.

    Raises:
        DeviceError: If the device is not there, or there is no such precision.
        ModelError: If it has no layers or too many, its weights cannot be had although they are
            required, or they do not fit its configuration or its tokenizer.
        ShapeError: If a configuration of a known family has sizes that no model can be made of.
    """
    source = decoder.source
    layers = getattr(decoder.config.get_text_config(), "num_hidden_layers", 1)
    stated = f"'num_hidden_layers' of its config.json is {quoted(layers)}"
    if isinstance(layers, int) and layers > MAX_LAYERS:  # making them would take hours
        raise ModelError(
            f"model '{source.asked}' has more than {MAX_LAYERS:,} layers, as no model has: {stated}"
        )
    where = find_placement(device, dtype, source)
    if device_map is not None:
        where = Placement(torch.device("cpu"), where.dtype, spread=True)
    random, why_not = choose_weights(source, weights)
    try:
        kind = _class_of(decoder)
        model = (
            random_model(
                kind,
                _of_text(kind, decoder.config),
                source,
                seed,
                where,
                weightless=True,
                values=values,
            )
            if random
            else from_pretrained(kind, source, _ASKS, where, decoder.config)
        )
    except ModelError as error:
        if decoder.why and _is_ours(decoder) and isinstance(error.__cause__, UNFIT):
            raise decoder.why from error
        raise
    if isinstance(layers, int) and layers < 1:
        raise ModelError(f"model '{source.asked}' has no layers: {stated}")
    try:
        if model.device.type != "meta":  # sizes that do not fit each other may show only now
            with torch.no_grad():
                first = torch.zeros(1, 1, dtype=torch.long, device=model.device)
                model(input_ids=first, use_cache=False)
    except UNFIT as error:
        if decoder.why and _is_ours(decoder):
            raise decoder.why from error
        raise unmade(source, error) from error
    tokenizer = tokenizer_for(source, model.config.get_text_config(), random=random, any_ids=True)
    origin = origin_of_random(model, seed) if random else origin_of(source)
    loaded = LoadedModel(source, model, tokenizer, origin, why_not)
    return loaded if device_map is None else spread_later(loaded, device_map)


def for_length(decoder: Foreign, longest: int) -> Foreign | None:
    """A decoder as it takes sequences of so many tokens; None where its learned positions end."""
    kind = _class_of(decoder)
    try:
        config = lengthened(lambda it: kind(_of_text(kind, it)), decoder.config, longest)
    except UNFIT as error:
        raise unmade(decoder.source, error) from error
    return None if config is None else decoder._replace(config=config)


def _class_of(decoder: Foreign) -> Any:
    """The class of transformers; ModelError where it has no language model of this type alone."""
    if (kind := MODEL_FOR_CAUSAL_LM_MAPPING.get(type(decoder.config), None)) is None:
        raise ModelError(
            f"transformers has no language model of type {quoted(decoder.config.model_type)} that "
            f"stands alone, to count '{decoder.source.asked}'; plan it with `neurt-energy plan`"
        )
    return kind


def _is_ours(decoder: Foreign) -> bool:
    return is_own(decoder.config.model_type)


def _of_text(kind: Any, config: PretrainedConfig) -> PretrainedConfig:
    """What a language model is made of, where the configuration is of one that also sees."""
    text = config.get_text_config()
    return text if kind.config_class is type(text) else config
