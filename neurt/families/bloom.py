"""Bloom: scores that fall with the distance of two tokens, and no positions beside.

Its attention asks no interface of transformers: hooks see its products by their softmax.
"""

from __future__ import annotations

from neurt.families.config import Config
from neurt.families.family import Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape

_ATTENTION = Attention("self_attention", ("query_key_value",), "dense", exposed=False)
_SYNONYMS = {"n_layer": "num_hidden_layers", "n_head": "num_attention_heads"}
_BLOOM = {**_SYNONYMS, "hidden_size": "n_embed"}
#: What stands for the positions of a model that has none (ALiBi): any number of tokens goes, up to
#: the longest sequence that a plan is asked for.
UNBOUNDED = 10_000_000


def renamed(config: Config, synonyms: dict[str, str]) -> Config:
    """A configuration with one name for each size, given that and another one that it may have."""
    config.check_synonyms(synonyms)
    content = dict(config.content)
    for name, other in synonyms.items():
        if content.get(name) is None and content.get(other) is not None:
            content[name] = content[other]
    return Config(content, config.name)


def _read(config: Config, model_type: str) -> Shape:
    config = renamed(config, _BLOOM)
    width, heads = config.multiple("hidden_size", "n_head")
    return Shape(
        layers=config.layers("n_layer"),
        width=width,
        heads=heads,
        inner=4 * width,
        vocabulary=config.size("vocab_size", 250_880),
        positions=UNBOUNDED,
        model_type=model_type,
        activation="bloom_gelu",
        tied=config.flag("tie_word_embeddings", default=True),
    )


BLOOM = Family(
    name="Bloom",
    classes={"bloom": "Bloom"},
    token_scores="classifier",
    read=_read,
    layers="transformer.h",
    attention=_ATTENTION,
    feedforward=FeedForward(
        "mlp", up="dense_h_to_4h", down="dense_4h_to_h", activation="gelu_impl"
    ),
    norms=Norms("input_layernorm", "post_attention_layernorm"),
    residuals=("self_attention.residual.0", "mlp.residual.0"),
    final_norm="transformer.ln_f",
    embeddings=(("transformer.word_embeddings", "Embedding"),),
    embedding_norm="transformer.word_embeddings_layernorm",
)
