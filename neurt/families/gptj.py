"""GPT-J: both blocks read what one norm gives, a part of each head is rotated, the head has a bias.

Its attention asks no interface of transformers: hooks see its products by their softmax.
"""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config, ShapeError
from neurt.families.family import Attention, FeedForward, Norms
from neurt.families.gpt2 import GPT2
from neurt.families.shape import Shape


def _read(config: Config, model_type: str) -> Shape:
    width, heads = config.multiple("n_embd", "n_head")
    rotated = config.size("rotary_dim", 64)
    if rotated % 2 or rotated > width // heads:
        raise ShapeError(
            f"model '{config.name}': 'rotary_dim' (= {rotated}) must be even and at most the "
            f"{width // heads} channels of a head"
        )
    return Shape(
        layers=config.layers("n_layer"),
        width=width,
        heads=heads,
        inner=config.size("n_inner", 4 * width),
        vocabulary=config.size("vocab_size", 50400),
        positions=config.size("n_positions", 2048),
        model_type=model_type,
        activation=config.require("activation_function", "gelu_new", "gelu", "relu", "silu"),
        qkv_bias=False,
        out_bias=False,
        tied=config.flag("tie_word_embeddings", default=False),
        head_bias=True,
        rotated=rotated,
    )


GPTJ = replace(
    GPT2,
    name="GPT-J",
    classes={"gptj": "GPTJ"},
    read=_read,
    attention=Attention("attn", ("q_proj", "k_proj", "v_proj"), "out_proj", exposed=False),
    feedforward=FeedForward("mlp", up="fc_in", down="fc_out", activation="act"),
    norms=Norms("ln_1", None),
    embeddings=(("transformer.wte", "Embedding"),),
    linear="Linear",
    model="ForCausalLM",
    converted=False,
)
