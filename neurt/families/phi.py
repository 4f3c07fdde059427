"""Phi; Phi-3 and Phi-4, which make Q, K and V in one product, and the gate with what it gates."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.family import LAYER_NORM, FeedForward, Norms
from neurt.families.llama import ATTENTION, LLAMA
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_windows


def _read_phi3(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, Absent(positions=4096))
    return with_windows(shape, config, read_window(config))


PHI3 = replace(
    LLAMA,
    name="Phi-3",
    classes={"phi3": "Phi3"},
    read=_read_phi3,
    attention=replace(ATTENTION, inputs=("qkv_proj",)),
    feedforward=FeedForward(
        "mlp", up="gate_up_proj", down="down_proj", activation="activation_fn", fused=True
    ),
    converted=False,
)


def _read_phi(config: Config, model_type: str) -> Shape:
    normed = config.flag("qk_layernorm", default=False)
    absent = Absent(positions=2048, rotary_share=0.5)
    shape = read_sizes(config, model_type, absent, known=("gelu_new", "gelu", "relu", "silu"))
    biased = replace(shape, qkv_bias=True, out_bias=True, ffn_bias=True, head_bias=True)
    return replace(biased, variant=NORMED if normed else "")


#: The variant whose attention norms Q and K.
NORMED = "normed"


#: Both blocks read what one norm gives.
PHI = replace(
    LLAMA,
    name="Phi",
    classes={"phi": "Phi"},
    read=_read_phi,
    attention=replace(ATTENTION, output="dense"),
    feedforward=FeedForward("mlp", up="fc1", down="fc2", activation="activation_fn"),
    norms=Norms("input_layernorm", None),
    final_norm="model.final_layernorm",
    norm=LAYER_NORM,
    converted=False,
)
PHI_NORMED = replace(
    PHI,
    attention=replace(PHI.attention, norms=("q_layernorm", "k_layernorm")),
    variant=NORMED,
)
