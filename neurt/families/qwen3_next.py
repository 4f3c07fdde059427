"""Qwen3-Next and Qwen3.5: three layers in four with the gated delta rule, one with a gate.

The gate of attention, and the weight of the block that every token passes beside its experts, are
sigmoids that hooks see as operations and no layer: neither plan nor count has a row of them.
"""

from __future__ import annotations

from dataclasses import replace

from energy.formulas.scan import Delta
from neurt.families.config import Config
from neurt.families.family import DeltaNet, Made, Norm
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.mixtral import (
    MIXTURE_OF_QWEN,
    read_chosen,
    read_experts_of_qwen,
    read_sparse,
)
from neurt.families.shape import DeltaRule, Dense, Experts, Layer, SelfAttention, Shape
from neurt.families.sizes import Absent, read_layer_types, read_sizes, with_experts

_LINEAR = "linear_attention"


def _read(config: Config, model_type: str) -> Shape:
    shape = _read_mixers(config, model_type, Absent(2, 256, 16, 151_936, 32_768, rotary_share=0.25))
    experts = read_experts_of_qwen(config, Experts(512, 10, 512, normalised=True, shared=512))
    return with_experts(shape, experts, read_sparse(config))


def _read_later(config: Config, model_type: str) -> Shape:
    absent = Absent(4, 256, 16, 248_320, 32_768, rotary_share=0.25)
    if model_type == "qwen3_5_text":
        return _read_mixers(config, model_type, absent)
    inner = config.size("moe_intermediate_size", 512)
    shape = _read_mixers(config, model_type, absent._replace(kv_heads=2, inner=inner))
    number, chosen = read_chosen(config, "num_experts", 256, 8)
    shared = config.size("shared_expert_intermediate_size", 512)
    return with_experts(shape, Experts(number, chosen, inner, normalised=True, shared=shared))


def _read_mixers(config: Config, model_type: str, absent: Absent) -> Shape:
    """The sizes with dense blocks in all layers."""
    shape = read_sizes(config, model_type, absent)
    biased = config.flag("attention_bias", default=False)
    delta = DeltaRule(
        Delta(
            config.size("linear_num_value_heads", 32),
            config.size("linear_num_key_heads", 16),
            config.size("linear_key_head_dim", 128),
            config.size("linear_value_head_dim", 128),
        ),
        config.size("linear_conv_kernel_dim", 4),
    )
    if delta.delta.heads % delta.delta.key_heads:
        raise config.wrong(
            "linear_num_value_heads",
            delta.delta.heads,
            f"must be divisible by 'linear_num_key_heads' (= {delta.delta.key_heads})",
        )
    every = config.size("full_attention_interval", 4)
    kinds = read_layer_types(config, shape.layers, _LINEAR) or [
        _LINEAR if (depth + 1) % every else "full_attention" for depth in range(shape.layers)
    ]
    layers = (
        Layer(delta if kind == _LINEAR else SelfAttention(), Dense(shape.inner)) for kind in kinds
    )
    return replace(shape, qkv_bias=biased, out_bias=biased, kinds=tuple(layers))


QWEN3_NEXT = replace(
    LLAMA,
    name="Qwen3-Next",
    classes={"qwen3_next": "Qwen3Next"},
    read=_read,
    attention=replace(ATTENTION, norms=("q_norm", "k_norm"), gated=True),
    delta=DeltaNet(
        "linear_attn",
        "Qwen3NextGatedDeltaNet",
        "Qwen3NextRMSNormGated",
        (("in_proj_qkvz", ("convolved", "values")), ("in_proj_ba", ("heads", "heads"))),
    ),
    mixture=MIXTURE_OF_QWEN,
    norm=Norm("RMSNorm", offset=True),
    converted=False,
)
_INPUTS: tuple[tuple[str, tuple[Made, ...]], ...] = (
    ("in_proj_qkv", ("convolved",)),
    ("in_proj_z", ("values",)),
    ("in_proj_b", ("heads",)),
    ("in_proj_a", ("heads",)),
)
QWEN3_5, QWEN3_5_MOE = (
    replace(
        QWEN3_NEXT,
        name=name,
        classes={kind: prefix},
        read=_read_later,
        delta=DeltaNet("linear_attn", f"{prefix}GatedDeltaNet", f"{prefix}RMSNormGated", _INPUTS),
        rotary_class="TextRotaryEmbedding",
        # Of text and images: each sequence has positions of its own.
        positions_by_sequence=True,
    )
    for name, kind, prefix in (
        ("Qwen3.5", "qwen3_5_text", "Qwen3_5"),
        ("Qwen3.5-MoE", "qwen3_5_moe_text", "Qwen3_5Moe"),
    )
)
