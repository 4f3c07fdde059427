"""gpt-oss: attention sinks, a window in every second layer, experts with biases and clamped gates.

It rotates Q and K in a way of its own, of which hooks see the operations and no layer: neither the
plan nor the count has a row of it.
"""

from __future__ import annotations

from dataclasses import replace

from energy.formulas.experts import Scoring
from neurt.families.config import Config
from neurt.families.family import Mixture
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.mixtral import read_chosen
from neurt.families.shape import Experts, Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_experts, with_windows


def _read(config: Config, model_type: str) -> Shape:
    absent = Absent(kv_heads=8, head_width=64, positions=131_072, vocabulary=201_088)
    shape = read_sizes(config, model_type, absent)
    biased = config.flag("attention_bias", default=True)
    shape = replace(shape, qkv_bias=biased, out_bias=biased)
    shape = with_windows(shape, config, read_window(config, 128), lambda depth: depth % 2 == 0)
    number, chosen = read_chosen(config, "num_local_experts", 128, 4)
    return with_experts(shape, Experts(number, chosen, shape.inner))


GPT_OSS = replace(
    LLAMA,
    name="gpt-oss",
    classes={"gpt_oss": "GptOss"},
    read=_read,
    attention=replace(ATTENTION, rotary=False, sinks=True),
    angles=None,
    mixture=Mixture("mlp", "router", Scoring.SOFTMAX_CHOSEN, biased=True, clamped=True),
    converted=False,
)
