"""OPT."""

from __future__ import annotations

from neurt.families.config import Config
from neurt.families.family import Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape


def _read(config: Config, model_type: str) -> Shape:
    width, heads = config.multiple("hidden_size", "num_attention_heads")
    # OPT-350m alone normalises after each block and has an embedding of another width.
    config.require("sliding_window", None)  # which a cache of transformers would heed
    config.require("do_layer_norm_before", True)
    config.require("word_embed_proj_dim", width)
    config.require("_remove_final_layer_norm", False)
    config.require("layer_norm_elementwise_affine", True)
    biased = config.flag("enable_bias", default=True)
    return Shape(
        layers=config.layers("num_hidden_layers"),
        width=width,
        heads=heads,
        inner=config.size("ffn_dim"),
        vocabulary=config.size("vocab_size"),
        positions=config.size("max_position_embeddings"),
        model_type=model_type,
        activation=config.require("activation_function", "relu", "gelu"),
        qkv_bias=biased,
        out_bias=biased,
        ffn_bias=biased,
        tied=config.flag("tie_word_embeddings", default=True),
    )


OPT = Family(
    name="OPT",
    classes={"opt": "OPT"},
    read=_read,
    layers="model.decoder.layers",
    attention=Attention("self_attn", ("q_proj", "k_proj", "v_proj"), "out_proj"),
    feedforward=FeedForward("", up="fc1", down="fc2", activation="activation_fn"),
    norms=Norms("self_attn_layer_norm", "final_layer_norm"),
    final_norm="model.decoder.final_layer_norm",
    embeddings=(
        ("model.decoder.embed_tokens", "Embedding"),
        ("model.decoder.embed_positions", "OPTLearnedPositionalEmbedding"),
    ),
    # Padding on the left moves them, so they follow from the mask of each sequence.
    positions_by_sequence=True,
    positions_unused=2,
)
