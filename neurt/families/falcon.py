"""Falcon: one cached head, or a few; blocks side by side with one norm or two, or in sequence.

Its attention asks no interface of transformers: hooks see its products by their softmax.
"""

from __future__ import annotations

from dataclasses import replace

from neurt.families.bloom import BLOOM, UNBOUNDED, renamed
from neurt.families.config import Config
from neurt.families.family import FeedForward, Norms
from neurt.families.shape import Shape

#: Variants: both blocks read what one norm gives, or each has a norm of its own.
_ONE_NORM, _TWO_NORMS = "one norm", "two norms"


def _read_falcon(config: Config, model_type: str) -> Shape:
    config = renamed(config, {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head"})
    width, heads = config.multiple("hidden_size", "num_attention_heads")
    later = config.flag("new_decoder_architecture", default=False)
    kv_heads = heads
    if later:
        config.require("parallel_attn", True)
        kv_heads = config.size("num_kv_heads", config.size("n_head_kv", heads))
        if heads % kv_heads:
            raise config.wrong(
                "num_kv_heads", kv_heads, f"must divide 'num_attention_heads' (= {heads})"
            )
    elif config.flag("multi_query", default=True):
        kv_heads = 1
    norms = config.size("num_ln_in_parallel_attn", 2)
    parallel = later or config.flag("parallel_attn", default=True)
    variant = "" if not parallel else _TWO_NORMS if later and norms == 2 else _ONE_NORM
    biased = config.flag("bias", default=False)
    positions = config.size("max_position_embeddings", 2048)
    return Shape(
        layers=config.layers("num_hidden_layers"),
        width=width,
        heads=heads,
        inner=config.size("ffn_hidden_size", 4 * width),
        vocabulary=config.size("vocab_size", 65_024),
        positions=UNBOUNDED if config.flag("alibi", default=False) else positions,
        model_type=model_type,
        kv_heads=kv_heads,
        activation=config.require("activation", "gelu"),
        qkv_bias=biased,
        out_bias=biased,
        ffn_bias=biased,
        tied=config.flag("tie_word_embeddings", default=True),
        variant=variant,
    )


_FALCON = replace(
    BLOOM,
    name="Falcon",
    classes={"falcon": "Falcon"},
    read=_read_falcon,
    feedforward=FeedForward("mlp", up="dense_h_to_4h", down="dense_4h_to_h", activation="act"),
    residuals=("residual.0", "residual.1"),
    embedding_norm=None,
    angles="transformer.rotary_emb",
    linear="FalconLinear",
)
FALCON = (
    replace(_FALCON, norms=Norms("input_layernorm", None), variant=_ONE_NORM),
    replace(_FALCON, norms=Norms("ln_attn", "ln_mlp"), variant=_TWO_NORMS),
    _FALCON,
)
