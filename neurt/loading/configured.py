"""A JSON file beside a model. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwmodels.errors import UserError
from hwmodels.inputs import parse_json, read_utf8

#: The most bytes of a `config.json`; that of a model with all the names of its classes has 0.1 MB.
MAX_CONFIG_BYTES = 10_000_000


class ModelError(UserError, ValueError):
    """A model that cannot be found or loaded."""


def read_config(path: Path, what: str = "model file") -> dict[str, Any]:
    """Read a JSON object beside a model, such as its `config.json`.

    Args:
        path: Where it is.
        what: What to call it in an error message.

    Raises:
        ModelError: If it is no regular file of less than `MAX_CONFIG_BYTES`, or no JSON object.
    """
    called = f"{what} '{path}'"
    text = read_utf8(path, called, ModelError, MAX_CONFIG_BYTES)
    config = parse_json(text, called, ModelError, finite=False)
    if not isinstance(config, dict):
        raise ModelError(f"{called} must hold a JSON object")
    return config
