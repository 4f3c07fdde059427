"""Llama 4: attention in chunks but for some layers, which do not rotate; experts beside one of all.

Its rotation is one of complex numbers, of which hooks see the operations and no layer: neither the
plan nor the count has a row of it. transformers runs all experts on all tokens and multiplies those
that were not chosen by 0; plan and count have the chosen ones.
"""

from __future__ import annotations

from dataclasses import replace

from energy.formulas.conventions import Window
from energy.formulas.experts import Scoring
from neurt.families.config import Config
from neurt.families.family import FeedForward, Mixture, Norm
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.mixtral import read_chosen
from neurt.families.shape import Dense, Experts, Layer, SelfAttention, Shape
from neurt.families.sizes import Absent, read_layer_types, read_rotated, read_sizes

_CHUNKED = "chunked_attention"
_ABSENT = Absent(kv_heads=8, head_width=128, heads=40, vocabulary=202_048, positions=131_072)


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, _ABSENT)
    biased = config.flag("attention_bias", default=False)
    number, chosen = read_chosen(config, "num_local_experts", 16, 1)
    experts = Experts(number, chosen, shape.inner, shared=shape.inner)
    dense = Dense(config.size("intermediate_size_mlp", 16_384))
    sparse = _sparse(config, shape.layers)
    rotated = read_rotated(config, shape.layers)
    normed = config.flag("use_qk_norm", default=True)
    kinds = read_layer_types(config, shape.layers, _CHUNKED) or [
        _CHUNKED if turns else "full_attention" for turns in rotated
    ]
    window = _chunk(config) if _CHUNKED in kinds else None
    layers = (
        Layer(
            SelfAttention(window if kind == _CHUNKED else None, turns, normed and turns),
            experts if depth in sparse else dense,
        )
        for depth, (kind, turns) in enumerate(zip(kinds, rotated, strict=True))
    )
    return replace(shape, inner=dense.inner, qkv_bias=biased, out_bias=biased, kinds=tuple(layers))


def _chunk(config: Config) -> Window:
    """The chunks of the layers that have them."""
    if config.content.get("attention_chunk_size", 0) is None:
        raise config.wrong(
            "attention_chunk_size", None, f"must say tokens, for layers of kind '{_CHUNKED}'"
        )
    return Window(config.size("attention_chunk_size", 8192), chunked=True)


def _sparse(config: Config, layers: int) -> set[int]:
    """The indices of the layers that have experts."""
    said = config.content.get("moe_layers")
    if said is None:
        every = config.size("interleave_moe_layer_step", 1)
        return set(range(every - 1, layers, every))
    if not isinstance(said, list) or any(type(depth) is not int for depth in said):
        raise config.wrong("moe_layers", said, "must be a list of the indices of layers")
    return set(said)


_SHARED = FeedForward(
    "feed_forward.shared_expert",
    up="up_proj",
    down="down_proj",
    activation="activation_fn",
    gate="gate_proj",
)

LLAMA4 = replace(
    LLAMA,
    name="Llama 4",
    classes={"llama4_text": "Llama4"},
    read=_read,
    # One norm without weights, of Q and then of K.
    attention=replace(
        ATTENTION, rotary=False, norms=("qk_norm", "qk_norm"), norm=Norm("TextL2Norm", scale=False)
    ),
    feedforward=replace(_SHARED, path="feed_forward"),
    mixture=Mixture(
        "feed_forward",
        "router",
        Scoring.SIGMOID_CHOSEN,
        shared=_SHARED,
        router_class="Router",
        experts_class="TextExperts",
    ),
    norm=Norm("TextRMSNorm"),
    angles=None,
    converted=False,
)
