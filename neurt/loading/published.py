"""Configurations of published models that the package ships: sizes, and no weights. No torch."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def published() -> dict[str, Path]:
    """The `config.json` of each model, by its id on the hub."""
    directory = Path(str(files("neurt.assets") / "configs"))
    # A slash cannot be in the name of a file.
    return {path.stem.replace("--", "/"): path for path in sorted(directory.glob("*.json"))}


def published_id(model: str) -> str | None:
    """The id on the hub of a published model, given that or its last part; None for another."""
    known = published()
    if model in known:
        return model
    return next((hub_id for hub_id in known if hub_id.rpartition("/")[2] == model), None)
