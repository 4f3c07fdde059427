"""StableLM and StarCoder2: layers of Llama with LayerNorm."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.family import LAYER_NORM, FeedForward, Norms
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.phi import NORMED
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_windows

#: The variant in which both blocks read what one norm gives.
_PARALLEL = "parallel"


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(positions=4096, rotary_share=0.25))
    parallel = config.flag("use_parallel_residual", default=False)
    biased = config.flag("use_qkv_bias", default=False)
    normed = config.flag("qk_layernorm", default=False)
    parts = (_PARALLEL if parallel else "", NORMED if normed else "")
    return replace(shape, qkv_bias=biased, variant=", ".join(part for part in parts if part))


STABLELM = replace(
    LLAMA,
    name="StableLM",
    classes={"stablelm": "StableLm"},
    read=_read,
    norm=LAYER_NORM,
    converted=False,
)
_NORMED = replace(
    ATTENTION,
    norms=("q_layernorm.norms.{head}", "k_layernorm.norms.{head}"),
    norm=replace(LAYER_NORM, shift=False),
    norm_over="head, own layer",
)
#: Its other layouts: blocks side by side, norms of Q and K, both.
STABLELM_OTHERS = (
    replace(STABLELM, norms=Norms("input_layernorm", None), variant=_PARALLEL),
    replace(STABLELM, attention=_NORMED, variant=NORMED),
    replace(
        STABLELM,
        norms=Norms("input_layernorm", None),
        attention=_NORMED,
        variant=f"{_PARALLEL}, {NORMED}",
    ),
)


def _read_starcoder2(config: Config, model_type: str) -> Shape:
    known = ("gelu_pytorch_tanh", "gelu", "gelu_new", "relu", "silu")
    absent = Absent(kv_heads=2, positions=4096, tied=True)
    shape = read_sizes(config, model_type, absent, known=known)
    biased = config.flag("use_bias", default=True)
    shape = replace(shape, qkv_bias=biased, out_bias=biased, ffn_bias=biased)
    return with_windows(shape, config, read_window(config))


STARCODER2 = replace(
    LLAMA,
    name="StarCoder2",
    classes={"starcoder2": "Starcoder2"},
    read=_read_starcoder2,
    feedforward=FeedForward("mlp", up="c_fc", down="c_proj", activation="act"),
    norm=LAYER_NORM,
    converted=False,
)
