"""Granite, and other models whose layers are those of Llama."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.llama import LLAMA
from neurt.families.shape import Dense, Layer, SelfAttention, Shape
from neurt.families.sizes import Absent, read_rotated, read_sizes


def _read(config: Config, model_type: str) -> Shape:
    absent = Absent(positions=2048, tied=model_type == "smollm3", kv_heads=_KV.get(model_type))
    shape = read_sizes(config, model_type, absent)
    biased = config.flag("attention_bias", default=False)
    hidden = config.flag("mlp_bias", default=False)
    shape = replace(shape, qkv_bias=biased, out_bias=biased, ffn_bias=hidden)
    return _without_rotation(shape, config) if model_type == "smollm3" else shape


def _without_rotation(shape: Shape, config: Config) -> Shape:
    """SmolLM3: one layer in four does not rotate Q and K."""
    config.require("use_sliding_window", False)
    turned = read_rotated(config, shape.layers)
    kinds = (Layer(SelfAttention(None, one), Dense(shape.inner)) for one in turned)
    return replace(shape, kinds=tuple(kinds))


_KV = {"smollm3": 4}

GRANITE = replace(
    LLAMA,
    name="Granite",
    classes={"granite": "Granite", "smollm3": "SmolLM3"},
    read=_read,
    converted=False,
)
