"""Where a model comes from: a known name, a local directory, or a hub id. No torch here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from neurt.gpt2 import ALIASES, GPT2Shape

#: Seconds to wait for the hub before falling back.
HUB_TIMEOUT_S = 5.0


#: Trained models that the package ships, each a directory in `neurt/assets`.
SHIPPED = ("gpt2-nano", "gpt2-nano-spiking")


class ModelError(ValueError):
    """A model that cannot be found or loaded."""


@dataclass(frozen=True)
class ModelSource:
    """What a `--model` argument means.

    Attributes:
        name: What reports call the model.
        hub_id: Its id on the hub; None for a local one.
        directory: Its local directory; None for one of the hub.
        shape: Its sizes; None while only the hub knows.
        shipped: Whether the package ships it.
    """

    name: str
    hub_id: str | None
    directory: Path | None
    shape: GPT2Shape | None
    shipped: bool = False


def resolve(model: str) -> ModelSource:
    """Find out what a `--model` argument means, without touching the network.

    Args:
        model: One of `SHIPPED` or `gpt2.ALIASES`, a directory in Hugging Face format, the path of a
            `config.json`, or a hub id such as `openai-community/gpt2`.

    Raises:
        ModelError: If it can be none of these.
        ShapeError: If its configuration is not a GPT-2.
    """
    if model in SHIPPED:
        packaged = Path(str(files("neurt.assets") / model))
        shape = GPT2Shape.from_config(read_config(packaged / "config.json"), model)
        return ModelSource(model, None, packaged, shape, shipped=True)
    if model in ALIASES:
        hub_id, shape = ALIASES[model]
        return ModelSource(model, hub_id, None, shape)
    path = Path(model)
    if model and (path.is_dir() or path.name == "config.json"):
        config = path if path.name == "config.json" else path / "config.json"
        shape = GPT2Shape.from_config(read_config(config), model)
        return ModelSource(config.resolve().parent.name, None, config.parent, shape)
    if path.is_file():
        raise ModelError(f"model '{model}' is a file; give the directory that holds it")
    for hub_id, shape in ALIASES.values():
        if model == hub_id:
            return ModelSource(model, hub_id, None, shape)
    parts = model.split("/")
    if len(parts) == 2 and all(part and not part.startswith(".") for part in parts):
        return ModelSource(model, model, None, cached_shape(model))
    known = ", ".join([*SHIPPED, *ALIASES])
    raise ModelError(
        f"model '{model}' is not known; give one of {known}, a directory with a config.json, or a "
        "hub id such as openai-community/gpt2"
    )


def read_config(path: Path) -> dict[str, Any]:
    """Read a `config.json`.

    Raises:
        ModelError: If it cannot be read or is not a JSON object.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"model file '{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"model file '{path}' is not valid JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"model file '{path}' must hold a JSON object")
    return config


def cached_shape(hub_id: str) -> GPT2Shape | None:
    """The sizes of a hub model whose configuration is in the local cache; None otherwise."""
    path = _cached_file(hub_id, "config.json")
    return GPT2Shape.from_config(read_config(path), hub_id) if path else None


def is_cached(hub_id: str) -> bool:
    """Whether configuration and safetensors weights of a hub model are in the local cache."""
    weights = ("model.safetensors", "model.safetensors.index.json")
    return bool(_cached_file(hub_id, "config.json")) and any(
        _cached_file(hub_id, name) for name in weights
    )


def cached_revision(hub_id: str) -> str:
    """The commit of a hub model in the local cache; empty where it is not cached."""
    path = _cached_file(hub_id, "config.json")
    return path.parent.name if path else ""


def _cached_file(hub_id: str, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(hub_id, name)
    except HFValidationError as error:
        raise ModelError(f"model '{hub_id}' is not a valid hub id: {error}") from error
    return Path(found) if isinstance(found, str) else None


def why_unreachable(hub_id: str) -> str | None:
    """Ask the hub for a model once, with a short time-out.

    Returns:
        None if it answers; else why it cannot be had, as the end of a sentence.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_hf_file_metadata(hf_hub_url(hub_id, "config.json"), timeout=HUB_TIMEOUT_S)
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except HfHubHTTPError as error:
        return f"the hub answered {error.response.status_code}"
    except Exception as error:  # the transport library's own classes, which change with its version
        return f"the hub cannot be reached ({type(error).__name__})"
    return None
