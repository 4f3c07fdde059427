"""Llama and what is built like it: SmolLM2, TinyLlama, Mistral, Qwen2.

Rotary positions, RMSNorm, SwiGLU, and key-value heads that several query heads share.
"""

from __future__ import annotations

from collections.abc import Mapping

from neurt.families.config import Config, ShapeError
from neurt.families.family import RMS_NORM, Attention, Family, FeedForward, Norms
from neurt.families.shape import Shape


def _read(config: Config, model_type: str) -> Shape:
    each_its_own = config.size("num_attention_heads")
    # Null means one for each head; what is absent is as in transformers.
    unsaid = "num_key_value_heads" not in config.content
    heads, kv_heads = config.multiple(
        "num_attention_heads",
        "num_key_value_heads",
        _KV_HEADS.get(model_type, each_its_own) if unsaid else each_its_own,
    )
    width = config.size("hidden_size")
    if config.content.get("head_dim") is None:
        config.multiple("hidden_size", "num_attention_heads")
    head_width = config.size("head_dim", width // heads)
    if head_width % 2:
        raise ShapeError(
            f"model '{config.name}': heads of {head_width} channels have one without a partner to "
            "rotate with; 'head_dim' (or 'hidden_size' over 'num_attention_heads') must be even"
        )
    _check_numbers(config)
    # Qwen2 has a bias on Q, K and V always, and on nothing else.
    biased = model_type == "llama" and config.flag("attention_bias", default=False)
    return Shape(
        layers=config.layers("num_hidden_layers"),
        width=width,
        heads=heads,
        inner=config.size("intermediate_size"),
        vocabulary=config.size("vocab_size"),
        positions=_seen(config, model_type),
        model_type=model_type,
        kv_heads=kv_heads,
        head_width=head_width,
        activation=config.require("hidden_act", "silu"),
        qkv_bias=biased or model_type == "qwen2",
        out_bias=biased,
        ffn_bias=model_type == "llama" and config.flag("mlp_bias", default=False),
        tied=config.flag("tie_word_embeddings", default=False),
    )


def _check_numbers(config: Config) -> None:
    """Counts do not depend on the frequencies, but a model of unknown ones is none."""
    for key in ("rope_parameters", "rope_scaling"):
        rotation = config.content.get(key) or {}
        if not isinstance(rotation, Mapping):
            raise config.wrong(key, rotation, "must be an object or null")
        kind = rotation.get("rope_type", rotation.get("type", "default"))
        if kind not in _ROTATIONS:
            raise config.wrong(f"{key}.rope_type", kind, f"must be one of {', '.join(_ROTATIONS)}")
        for number in ("rope_theta", "factor"):
            config.check_positive(f"{key}.{number}", rotation.get(number))
    for number in ("rope_theta", "rms_norm_eps"):
        config.check_positive(number, config.content.get(number))


def _seen(config: Config, model_type: str) -> int:
    """Positions, or the tokens that the sliding window of some layer holds."""
    positions = config.size("max_position_embeddings")
    slides = model_type == "mistral" or config.flag("use_sliding_window", default=False)
    if config.content.get("sliding_window", _WINDOW) is None:
        return positions
    window = config.size("sliding_window", _WINDOW)
    return min(positions, window) if slides else positions


#: Ways of transformers to choose the frequencies of rotary positions.
_ROTATIONS = ("default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional")
#: What transformers assumes where a configuration does not say: cached heads (in a Llama as many as
#: heads), and the tokens of a sliding window.
_KV_HEADS = {"mistral": 8, "qwen2": 32}
_WINDOW = 4096


LLAMA = Family(
    name="Llama",
    classes={"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2"},
    read=_read,
    layers="model.layers",
    attention=Attention("self_attn", ("q_proj", "k_proj", "v_proj"), "o_proj", rotary=True),
    feedforward=FeedForward(
        "mlp", up="up_proj", down="down_proj", activation="act_fn", gate="gate_proj"
    ),
    norms=Norms("input_layernorm", "post_attention_layernorm"),
    final_norm="model.norm",
    embeddings=(("model.embed_tokens", "Embedding"),),
    angles="model.rotary_emb",
    norm=RMS_NORM,
    converted=True,
)
