"""Qwen3: as Qwen2, with a norm over each head of Q and of K and without biases there."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.llama import ATTENTION, LLAMA, read_qwen_windows
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(kv_heads=32, head_width=128))
    biased = config.flag("attention_bias", default=False)
    shape = replace(shape, qkv_bias=biased, out_bias=biased)
    return read_qwen_windows(shape, config)


QWEN3 = replace(
    LLAMA,
    name="Qwen3",
    classes={"qwen3": "Qwen3"},
    read=_read,
    attention=replace(ATTENTION, norms=("q_norm", "k_norm")),
    converted=False,
)
