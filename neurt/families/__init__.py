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
    is_own,
    label,
    layout,
    names_of,
    not_converted,
)
from neurt.families.family import Family
from neurt.families.gpt2 import ALIASES
from neurt.families.shape import (
    DeltaRule,
    Dense,
    Experts,
    LatentAttention,
    Layer,
    SelfAttention,
    Shape,
    SideBySide,
    StateSpace,
)

__all__ = [
    "ALIASES",
    "CONVERTED",
    "FAMILIES",
    "MAX_LAYERS",
    "SPIKING",
    "UNREAD",
    "ContradictionError",
    "DeltaRule",
    "Dense",
    "Experts",
    "Family",
    "LatentAttention",
    "Layer",
    "SelfAttention",
    "Shape",
    "ShapeError",
    "SideBySide",
    "StateSpace",
    "analog_type",
    "family_of",
    "is_converted",
    "is_own",
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
    config = _text_model(config)
    given = config.get("model_type")
    kind = analog_type(given) if isinstance(given, str) else ""
    if kind not in TYPES:
        converted = ", ".join(repr(kind) for family in CONVERTED for kind in family.classes)
        raise ShapeError(
            f"model '{name}' is a {quoted(given)}, which is no decoder of a known family; "
            "`neurt-energy count` counts any of transformers, and converted to spikes are "
            f"{converted}"
        )
    return family_of(kind).read(Config(config, name), kind)


#: Models of text and images, and the `model_type` of the language model inside each.
_WITH_IMAGES = {
    "gemma3": "gemma3_text",
    "llama4": "llama4_text",
    **{x: f"{x}_text" for x in ("qwen3_5", "qwen3_5_moe")},
    "mistral3": "mistral",
}


def _text_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the language model inside one of text and images; others as they are."""
    kind, inside = config.get("model_type"), config.get("text_config")
    if not isinstance(kind, str) or kind not in _WITH_IMAGES or not isinstance(inside, Mapping):
        return config
    whole = {"model_type": _WITH_IMAGES[kind], **inside}
    if (tied := config.get("tie_word_embeddings")) is not None:
        whole.setdefault("tie_word_embeddings", tied)
    return whole
