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
    has_conversion,
    is_converted,
    is_own,
    label,
    layout,
    names_of,
    not_converted,
)
from neurt.families.family import Family
from neurt.families.gpt2 import ALIASES
from neurt.families.heads import with_head
from neurt.families.shape import (
    DeltaRule,
    Dense,
    Experts,
    Head,
    LatentAttention,
    Layer,
    SelfAttention,
    Shape,
    SharedBlock,
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
    "Head",
    "LatentAttention",
    "Layer",
    "SelfAttention",
    "Shape",
    "ShapeError",
    "SharedBlock",
    "SideBySide",
    "StateSpace",
    "analog_type",
    "family_of",
    "has_conversion",
    "is_converted",
    "is_own",
    "label",
    "layout",
    "names_of",
    "not_converted",
    "read_shape",
    "wrapper_of",
]


def read_shape(config: Mapping[str, Any], name: str) -> Shape:
    """Read the sizes in a Hugging Face `config.json`.

    Args:
        name: What to call the model in an error message.

    Raises:
        ShapeError: If it is of no known family, or a size is missing or impossible.
    """
    whole, config = config, _text_model(config)
    given = config.get("model_type")
    if given is None:
        raise ShapeError(
            f"model '{name}' does not say its 'model_type', by which its family is known; give the "
            "config.json that lies beside the weights of a transformers model"
        )
    kind = analog_type(given) if isinstance(given, str) else ""
    if kind not in TYPES:
        converted = ", ".join(repr(kind) for family in CONVERTED for kind in family.classes)
        raise ShapeError(
            f"model '{name}' is a {quoted(given)}, which is no decoder of a known family; "
            "`neurt-energy count` counts any of transformers, and converted to spikes are "
            f"{converted}"
        )
    return with_head(family_of(kind).read(Config(config, name), kind), Config(whole, name))


#: Language models inside of others that do not say their `model_type`, or are built like one that
#: is known: positions of images alone are rotated in another way.
_INSIDE = {
    "gemma3": "gemma3_text",
    "llama4": "llama4_text",
    **{x: f"{x}_text" for x in ("qwen3_5", "qwen3_5_moe")},
    "mistral3": "mistral",
    "llava": "llama",
    **dict.fromkeys(("qwen2_vl", "qwen2_5_vl", "qwen2_vl_text", "qwen2_5_vl_text"), "qwen2"),
    **dict.fromkeys(("qwen3_vl", "qwen3_vl_text"), "qwen3"),
    **dict.fromkeys(("qwen3_vl_moe", "qwen3_vl_moe_text"), "qwen3_moe"),
}


def wrapper_of(config: Mapping[str, Any]) -> str:
    """The `model_type` of a model with a known language model inside; empty of any other."""
    kind, inside = config.get("model_type"), config.get("text_config")
    if not isinstance(kind, str) or kind in TYPES:
        return ""
    if not isinstance(inside, Mapping):  # Qwen-VL says its sizes beside those of images
        return kind if kind in _INSIDE and "hidden_size" in config else ""
    return kind if _type_inside(kind, inside) in TYPES else ""


def _type_inside(kind: str, inside: Mapping[str, Any]) -> str:
    said = inside.get("model_type", _INSIDE.get(kind))
    return _INSIDE.get(said, said) if isinstance(said, str) else ""


def _text_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the language model inside of one of text and images; others as is."""
    kind, inside = wrapper_of(config), config.get("text_config")
    if not kind:
        return config
    if not isinstance(inside, Mapping):
        return {**config, "model_type": _INSIDE[kind]}
    whole = {**inside, "model_type": _type_inside(kind, inside)}
    if (tied := config.get("tie_word_embeddings")) is not None:
        whole.setdefault("tie_word_embeddings", tied)
    return whole
