"""GPT-NeoX and Pythia: Q, K and V in one product, a part of each head rotated."""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config
from neurt.families.family import Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes


def _read(config: Config, model_type: str) -> Shape:
    share = config.content.get("rotary_pct")
    config.check_positive("rotary_pct", share)
    if share is not None and share > 1:
        raise config.wrong("rotary_pct", share, "must be at most 1")
    share = 0.25 if share is None else share
    absent = Absent(positions=2048, rotary_share=share)
    shape = read_sizes(config, model_type, absent, known=("gelu", "gelu_new", "gelu_fast", "relu"))
    biased = config.flag("attention_bias", default=True)
    # Whether both blocks read the same input changes no count.
    config.flag("use_parallel_residual", default=True)
    # Each head has a K and a V of its own, whatever a configuration says.
    own = replace(shape, kv_heads=shape.heads, head_width=shape.width // shape.heads)
    return replace(own, qkv_bias=biased, out_bias=biased, ffn_bias=True)


GPT_NEOX = Family(
    name="GPT-NeoX",
    classes={"gpt_neox": "GPTNeoX"},
    token_scores="classifier",
    read=_read,
    layers="gpt_neox.layers",
    attention=Attention("attention", ("query_key_value",), "dense", rotary=True),
    feedforward=FeedForward("mlp", up="dense_h_to_4h", down="dense_4h_to_h", activation="act"),
    norms=Norms("input_layernorm", "post_attention_layernorm"),
    final_norm="gpt_neox.final_layer_norm",
    embeddings=(("gpt_neox.embed_in", "Embedding"),),
    angles="gpt_neox.rotary_emb",
)
