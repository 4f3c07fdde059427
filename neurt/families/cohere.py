"""Cohere: both blocks read what one norm gives. Cohere 2 rotates only in layers with a window."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.family import Norm, Norms
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.phi import NORMED
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_windows


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(positions=8192, tied=True, vocabulary=256_000))
    biased = config.flag("attention_bias", default=False)
    shape = replace(shape, qkv_bias=biased, out_bias=biased)
    if model_type == "cohere":
        normed = config.flag("use_qk_norm", default=False)
        return replace(shape, variant=NORMED if normed else "")
    every = config.size("sliding_window_pattern", 4)
    return with_windows(
        shape,
        config,
        read_window(config, 4096),
        lambda depth: (depth + 1) % every != 0,
        rotates=lambda kind: kind == "sliding_attention",
    )


COHERE = replace(
    LLAMA,
    name="Cohere",
    classes={"cohere": "Cohere", "cohere2": "Cohere2"},
    read=_read,
    norms=Norms("input_layernorm", None),
    norm=Norm("LayerNorm", centred=True),
    converted=False,
)
#: Command R+.
COHERE_NORMED = replace(
    COHERE,
    classes={"cohere": "Cohere"},
    attention=replace(ATTENTION, norms=("q_norm", "k_norm"), norm_over="head, own weights"),
    variant=NORMED,
)
