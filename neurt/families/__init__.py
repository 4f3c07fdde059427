"""The architectures that are known, one file each. No torch here, so that a plan answers at once.

Everything else of the toolkit asks the declaration of a family where its parts are and what they
are called. A new family is a file beside these and its name in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwmodels.plain import quoted
from neurt.families.config import MAX_LAYERS, UNREAD, Config, ContradictionError, ShapeError
from neurt.families.declared import (
    CONVERTED,
    FAMILIES,
    SPIKING,
    TYPES,
    analog_type,
    family_of,
    is_converted,
    label,
    layout,
    names_of,
    not_converted,
)
from neurt.families.family import Family
from neurt.families.gpt2 import ALIASES
from neurt.families.shape import Dense, Experts, Layer, SelfAttention, Shape

__all__ = [
    "ALIASES",
    "CONVERTED",
    "FAMILIES",
    "MAX_LAYERS",
    "SPIKING",
    "UNREAD",
    "ContradictionError",
    "Dense",
    "Experts",
    "Family",
    "Layer",
    "SelfAttention",
    "Shape",
    "ShapeError",
    "analog_type",
    "family_of",
    "is_converted",
    "label",
    "layout",
    "names_of",
    "not_converted",
    "read_shape",
]


def read_shape(config: Mapping[str, Any], name: str) -> Shape:
    """Read the sizes in a Hugging Face `config.json`.

    Args:
        name: What to call the model in an error message.

    Raises:
        ShapeError: If it is of no known family, or a size is missing or impossible.
    """
    given = config.get("model_type")
    kind = analog_type(given) if isinstance(given, str) else ""
    if kind not in TYPES:
        raise ShapeError(
            f"model '{name}' is a {quoted(given)}, which is no decoder of a known family; the "
            f"types supported are: {', '.join(map(repr, TYPES))}, and what is converted from "
            "them"
        )
    return family_of(kind).read(Config(config, name), kind)
