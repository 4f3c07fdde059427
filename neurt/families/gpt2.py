"""GPT-2."""

from __future__ import annotations

from typing import Any

from neurt.families.config import Config
from neurt.families.family import Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape

#: Short names of the four published sizes: hub id and shape.
ALIASES = {
    "gpt2-small": ("openai-community/gpt2", Shape(12, 768, 12, 3072)),
    "gpt2-medium": ("openai-community/gpt2-medium", Shape(24, 1024, 16, 4096)),
    "gpt2-large": ("openai-community/gpt2-large", Shape(36, 1280, 20, 5120)),
    "gpt2-xl": ("openai-community/gpt2-xl", Shape(48, 1600, 25, 6400)),
}


#: Other names of its sizes, which transformers takes for them too.
_SYNONYMS = {
    "n_layer": "num_hidden_layers",
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_positions": "max_position_embeddings",
}


def _read(config: Config, model_type: str) -> Shape:
    config.check_synonyms(_SYNONYMS)
    config.require("sliding_window", None)  # which a cache of transformers would heed
    activation = config.require("activation_function", "gelu_new", "gelu", "relu", "silu")
    width, heads = config.multiple("n_embd", "n_head")
    config.check_positive("layer_norm_epsilon", config.content.get("layer_norm_epsilon"))
    return Shape(
        layers=config.layers("n_layer"),
        width=width,
        heads=heads,
        inner=config.size("n_inner", 4 * width),
        vocabulary=config.size("vocab_size", 50257),
        positions=config.size("n_positions", 1024),
        model_type=model_type,
        activation=activation,
        tied=config.flag("tie_word_embeddings", default=True),
    )


def _score_scale(config: Any, layer: int) -> float:
    width = config.n_embd // config.n_head
    scale = width**-0.5 if config.scale_attn_weights else 1.0
    return float(scale / (layer + 1) if config.scale_attn_by_inverse_layer_idx else scale)


GPT2 = Family(
    name="GPT-2",
    classes={"gpt2": "GPT2"},
    token_scores="classifier",
    read=_read,
    layers="transformer.h",
    attention=Attention("attn", ("c_attn",), "c_proj", score_scale=_score_scale),
    feedforward=FeedForward("mlp", up="c_fc", down="c_proj", activation="act"),
    norms=Norms("ln_1", "ln_2"),
    final_norm="transformer.ln_f",
    embeddings=(("transformer.wte", "Embedding"), ("transformer.wpe", "Embedding")),
    linear="Conv1D",
    model="LMHeadModel",
    converted=True,
)
