"""OPT. Of its sizes 350m alone norms what a block gives, and has a narrower table of tokens."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from neurt.families.config import Config
from neurt.families.family import LAYER_NORM, Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape

#: Parts of the name of a layout: norms of what a block gives, no norm after the last layer, norms
#: without weights.
_AFTER, _NO_LAST, _PLAIN = "norms after", "no last norm", "plain norms"


def _read(config: Config, model_type: str) -> Shape:
    width, heads = config.multiple("hidden_size", "num_attention_heads")
    config.require("sliding_window", None)  # which a cache of transformers would heed
    biased = config.flag("enable_bias", default=True)
    before = config.flag("do_layer_norm_before", default=True)
    last = "" if not config.flag("_remove_final_layer_norm", default=False) else _NO_LAST
    weighted = config.flag("layer_norm_elementwise_affine", default=True)
    table = config.size("word_embed_proj_dim", width)
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
        table_width=0 if table == width else table,
        variant=_named(last if before else _AFTER, "" if weighted else _PLAIN),
    )


def _named(layout: str, norms: str) -> str:
    return ", ".join(part for part in (layout, norms) if part)


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
    projections=("model.decoder.project_in", "model.decoder.project_out"),
    # Padding on the left moves them, so they follow from the mask of each sequence.
    positions_by_sequence=True,
    positions_unused=2,
)


def _layout(layout: str, norms: str) -> Family:
    """OPT with norms at other places, or without weights."""
    after = Norms(None, None, *OPT.norms[:2])
    return replace(
        OPT,
        norms=after if layout == _AFTER else OPT.norms,
        final_norm=None if layout else OPT.final_norm,
        norm=replace(LAYER_NORM, scale=not norms, shift=not norms),
        variant=_named(layout, norms),
    )


#: The layouts that a configuration can ask for beside that of most sizes.
OTHERS = tuple(
    _layout(*parts) for parts in product(("", _AFTER, _NO_LAST), ("", _PLAIN)) if any(parts)
)
