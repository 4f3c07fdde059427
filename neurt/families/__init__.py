"""The architectures that are known, one file each. No torch here, so that a plan answers at once.

Everything else of the toolkit asks the declaration of a family where its parts are and what they
are called. A new family is a file beside these and a line in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from energy.counts import Label
from hwmodels.plain import quoted
from neurt.families.family import (
    MAX_LAYERS,
    UNREAD,
    Config,
    ContradictionError,
    Family,
    Shape,
    ShapeError,
)
from neurt.families.gpt2 import ALIASES, GPT2
from neurt.families.llama import LLAMA
from neurt.families.opt import OPT

__all__ = [
    "ALIASES",
    "FAMILIES",
    "MAX_LAYERS",
    "UNREAD",
    "ContradictionError",
    "Family",
    "Shape",
    "ShapeError",
    "analog_type",
    "family_of",
    "is_converted",
    "label",
    "read_shape",
]

FAMILIES = (GPT2, LLAMA, OPT)

_BY_TYPE = {kind: family for family in FAMILIES for kind in family.classes}

#: What the `model_type` of a converted model begins with.
SPIKING = "spiking_"


def analog_type(model_type: str) -> str:
    """The `model_type` of the analog model, given that of an analog or a converted one."""
    return model_type.removeprefix(SPIKING)


def is_converted(model_type: object) -> bool:
    """Whether the `model_type` of a `config.json` is that of a converted model."""
    return isinstance(model_type, str) and model_type.startswith(SPIKING)


def family_of(model_type: str) -> Family:
    """The family of a model of a known type, analog or converted; raises KeyError for others."""
    return _BY_TYPE[analog_type(model_type)]


def read_shape(config: Mapping[str, Any], name: str) -> Shape:
    """Read the sizes in a Hugging Face `config.json`.

    Args:
        name: What to call the model in an error message.

    Raises:
        ShapeError: If it is of no known family, or a size is missing or impossible.
    """
    given = config.get("model_type")
    kind = analog_type(given) if isinstance(given, str) else ""
    if kind not in _BY_TYPE:
        raise ShapeError(
            f"model '{name}' is a {quoted(given)}, which is no decoder of a known family; the "
            f"types supported are: {', '.join(map(repr, _BY_TYPE))}, and what is converted from "
            "them"
        )
    return _BY_TYPE[kind].read(Config(config, name), kind)


@cache
def label(name: str) -> Label:
    """What a layer of an analog or spiking model is, from its dotted name."""
    for layers, parts in _IN_LAYER.items():
        if name.startswith(layers):
            depth, _, part = name.removeprefix(layers).partition(".")
            if depth.isdecimal():
                block, component = parts.get(part, ("other", part))
                return Label(block, component, int(depth))
    block, component = _OUTSIDE.get(name, ("other", name.rpartition(".")[2]))
    return Label(block, component)


def _in_layer(family: Family) -> dict[str, tuple[str, str]]:
    """What is in a transformer layer, by name: the analog parts, and what a conversion adds."""
    attention, feedforward = family.attention, family.feedforward
    of_attention = {
        **dict.fromkeys(attention.inputs, "qkv"),
        attention.output: "proj",
        "core.scores": "scores",
        "core.softmax": "softmax",
        "core.normalise": "softmax",
        "core.mix": "mix",
        **dict.fromkeys(_NEURONS_OF_ATTENTION, "neuron"),
        **dict.fromkeys((f"encoders.{name}" for name in attention.inputs), "neuron"),
    }
    of_feedforward = {
        **dict.fromkeys(feedforward.into_hidden, "ffn_up"),
        feedforward.down: "ffn_down",
        feedforward.activation: "activation",
        **dict.fromkeys(_CODERS_OF_FEEDFORWARD, "neuron"),
        **dict.fromkeys((f"encoders.{name}" for name in feedforward.into_hidden), "neuron"),
    }
    if attention.rotary:
        of_attention["core.rotary"] = "rotary"
    if feedforward.gate is not None:
        of_feedforward["multiply"] = "activation"
    return {
        family.norms[0]: ("attention", "norm"),
        family.norms[1]: ("ffn", "norm"),
        "residual.0": ("attention", "residual"),
        "residual.1": ("ffn", "residual"),
        **{f"{attention.path}.{part}": ("attention", name) for part, name in of_attention.items()},
        **{feedforward.name(part): ("ffn", name) for part, name in of_feedforward.items()},
    }


_NEURONS_OF_ATTENTION = (
    "encoder",
    "qkv_neuron",
    "query_encoder",
    "key_encoder",
    "value_encoder",
    "core.weight_encoder",
    "mix_encoder",
    "mix_neuron",
)
_CODERS_OF_FEEDFORWARD = ("encoder", "hidden_encoder")

_IN_LAYER = {f"{family.layers}.": _in_layer(family) for family in FAMILIES}
_OUTSIDE = {"lm_head": ("head", "lm_head"), "lm_head.encoder": ("head", "neuron")}
for _family in FAMILIES:
    _OUTSIDE |= {name: ("embedding", "embedding") for name, _ in _family.embeddings}
    _OUTSIDE[_family.final_norm] = ("head", "norm")
    _OUTSIDE[f"{_family.layers.rpartition('.')[0]}.residual.0"] = ("embedding", "residual")
    if _family.angles is not None:
        _OUTSIDE[_family.angles] = ("embedding", "rotary")
