"""What the toolkit must know of GPT-2: its sizes, and what each of its layers is.

No torch here, so that a plan answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from energy.counts import Label

#: Types of a `config.json` that are read: the analog model, and one that was converted.
MODEL_TYPES = ("gpt2", "spiking_gpt2")


class ShapeError(ValueError):
    """A configuration that is not a GPT-2."""


@dataclass(frozen=True)
class GPT2Shape:
    """The sizes that decide every dense count.

    Attributes:
        layers: Transformer layers L.
        width: Model width d.
        heads: Attention heads.
        inner: Width of the feed-forward block, 4 d unless stated.
        vocabulary: Entries of the embedding V.
        positions: Longest sequence.
    """

    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int = 50257
    positions: int = 1024

    @classmethod
    def from_config(cls, config: Mapping[str, Any], name: str) -> GPT2Shape:
        """Read a Hugging Face `config.json`.

        Args:
            config: Its content.
            name: What to call it in an error message.

        Raises:
            ShapeError: If it is not a GPT-2, or a size is missing or impossible.
        """
        kind = config.get("model_type")
        if kind not in MODEL_TYPES:
            known = ", ".join(repr(known) for known in MODEL_TYPES)
            raise ShapeError(f"model '{name}' is a {kind!r}; the types supported are: {known}")
        activation = config.get("activation_function", "gelu_new")
        if activation != "gelu_new":
            raise ShapeError(
                f"model '{name}': 'activation_function' (= {activation!r}) has no counting rule; "
                "the one supported is 'gelu_new'"
            )
        sizes = {
            key: _size(config, key, name, default)
            for key, default in (
                ("n_layer", None),
                ("n_embd", None),
                ("n_head", None),
                ("vocab_size", 50257),
                ("n_positions", 1024),
            )
        }
        width, heads = sizes["n_embd"], sizes["n_head"]
        if width % heads:
            raise ShapeError(
                f"model '{name}': 'n_embd' (= {width}) must be divisible by 'n_head' (= {heads})"
            )
        inner = _size(config, "n_inner", name, 4 * width)
        return cls(sizes["n_layer"], width, heads, inner, sizes["vocab_size"], sizes["n_positions"])


def _size(config: Mapping[str, Any], key: str, name: str, default: int | None) -> int:
    value = config.get(key)
    if value is None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ShapeError(f"model '{name}': '{key}' (= {value!r}) must be an integer >= 1")
    return value


#: Short names of the four published sizes: hub id and shape.
ALIASES = {
    "gpt2-small": ("openai-community/gpt2", GPT2Shape(12, 768, 12, 3072)),
    "gpt2-medium": ("openai-community/gpt2-medium", GPT2Shape(24, 1024, 16, 4096)),
    "gpt2-large": ("openai-community/gpt2-large", GPT2Shape(36, 1280, 20, 5120)),
    "gpt2-xl": ("openai-community/gpt2-xl", GPT2Shape(48, 1600, 25, 6400)),
}

_IN_LAYER = {
    "ln_1": ("attention", "norm"),
    "attn.encoder": ("attention", "neuron"),
    "attn.c_attn": ("attention", "qkv"),
    "attn.qkv_neuron": ("attention", "neuron"),
    "attn.query_encoder": ("attention", "neuron"),
    "attn.key_encoder": ("attention", "neuron"),
    "attn.value_encoder": ("attention", "neuron"),
    "attn.core.scores": ("attention", "scores"),
    "attn.core.softmax": ("attention", "softmax"),
    "attn.core.weight_encoder": ("attention", "neuron"),
    "attn.core.normalise": ("attention", "softmax"),
    "attn.core.mix": ("attention", "mix"),
    "attn.mix_encoder": ("attention", "neuron"),
    "attn.mix_neuron": ("attention", "neuron"),
    "attn.c_proj": ("attention", "proj"),
    "ln_2": ("ffn", "norm"),
    "mlp.encoder": ("ffn", "neuron"),
    "mlp.c_fc": ("ffn", "ffn_up"),
    "mlp.act": ("ffn", "activation"),
    "mlp.hidden_encoder": ("ffn", "neuron"),
    "mlp.c_proj": ("ffn", "ffn_down"),
}
_OUTSIDE = {
    "transformer.wte": ("embedding", "embedding"),
    "transformer.wpe": ("embedding", "embedding"),
    "transformer.ln_f": ("head", "norm"),
    "lm_head": ("head", "lm_head"),
}
_LAYER = re.compile(r"transformer\.h\.(\d+)\.(.+)")


def label(name: str) -> Label:
    """What a layer of an analog or spiking GPT-2 is, from its dotted name."""
    if match := _LAYER.fullmatch(name):
        block, component = _IN_LAYER.get(match[2], ("other", match[2]))
        return Label(block, component, int(match[1]))
    block, component = _OUTSIDE.get(name, ("other", name.rpartition(".")[2]))
    return Label(block, component)
