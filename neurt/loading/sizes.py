"""Where the sizes of a model come from: of any model, or a configuration alone. No torch here."""

from __future__ import annotations

from pathlib import Path

from neurt.families import read_shape, wrapper_of
from neurt.loading.source import ModelSource, known_config, read_config, resolve


def resolve_sizes(model: str) -> ModelSource:
    """What `source.resolve` finds, or a configuration under any name, as `llama.json`.

    Args:
        model: See `source.resolve`; or the path of a JSON file with a `model_type`.

    Raises:
        ModelError: If it can be none of these.
        GGUFError: See `source.resolve`.
        ShapeError: If its configuration is of no known family.
    """
    path = Path(model)
    if path.suffix.lower() == ".json" and path.name != "config.json" and path.is_file():
        shape = read_shape(read_config(path), model)
        return ModelSource(path.stem, None, None, shape, config=path, asked=model)
    return resolve(model)


def config_of_source(source: ModelSource) -> Path | None:
    """The configuration of a model that is at hand; None of a GGUF file, and where none is."""
    own = source.config or (source.directory and source.directory / "config.json")
    return known_config(source.hub_id) if own is None and source.hub_id is not None else own


def wrapped_in(source: ModelSource) -> str:
    """The `model_type` of the model that a language model is inside of; empty where it is alone."""
    path = config_of_source(source)
    return "" if path is None else wrapper_of(read_config(path))
