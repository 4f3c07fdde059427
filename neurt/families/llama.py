"""Llama and what is built like it: SmolLM2, TinyLlama, Mistral, Qwen2.

Rotary positions, RMSNorm, SwiGLU, and key-value heads that several query heads share.
"""

from __future__ import annotations

from dataclasses import replace

from neurt.families.config import Config, ShapeError
from neurt.families.family import RMS_NORM, Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape
from neurt.families.sizes import Absent, read_sizes, read_window, with_windows


def _read(config: Config, model_type: str) -> Shape:
    shape = read_sizes(config, model_type, _ABSENT.get(model_type, Absent()), known=("silu",))
    if shape.rotated:
        raise ShapeError(
            f"model '{config.name}': a '{model_type}' rotates all channels of a head; leave out "
            "'partial_rotary_factor'"
        )
    # Qwen2 has a bias on Q, K and V always, and on nothing else.
    biased = model_type == "llama" and config.flag("attention_bias", default=False)
    shape = replace(
        shape,
        qkv_bias=biased or model_type == "qwen2",
        out_bias=biased,
        ffn_bias=model_type == "llama" and config.flag("mlp_bias", default=False),
    )
    return read_qwen_windows(shape, config, always=model_type == "mistral")


def read_qwen_windows(shape: Shape, config: Config, *, always: bool = False) -> Shape:
    """The windows of Qwen, in the layers from `max_window_layers` on, or of Mistral (`always`)."""
    asked = config.flag("use_sliding_window", default=False)
    window = read_window(config, _WINDOW)
    if always:
        return with_windows(shape, config, window)
    first = config.content.get("max_window_layers")
    begin = config.size("max_window_layers") if first else 0
    return with_windows(shape, config, window if asked else None, lambda depth: depth >= begin)


_ABSENT = {"mistral": Absent(kv_heads=8), "qwen2": Absent(kv_heads=32)}
#: Tokens of a sliding window where a configuration does not say.
_WINDOW = 4096

#: Attention and feed-forward of all that is built like it.
ATTENTION = Attention("self_attn", ("q_proj", "k_proj", "v_proj"), "o_proj", rotary=True)
FEEDFORWARD = FeedForward(
    "mlp", up="up_proj", down="down_proj", activation="act_fn", gate="gate_proj"
)
NORMS = Norms("input_layernorm", "post_attention_layernorm")
NORMS_AFTER = Norms(None, None, "post_attention_layernorm", "post_feedforward_layernorm")

LLAMA = Family(
    name="Llama",
    classes={"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2"},
    read=_read,
    layers="model.layers",
    attention=ATTENTION,
    feedforward=FEEDFORWARD,
    norms=NORMS,
    final_norm="model.norm",
    embeddings=(("model.embed_tokens", "Embedding"),),
    angles="model.rotary_emb",
    norm=RMS_NORM,
    converted=True,
)
