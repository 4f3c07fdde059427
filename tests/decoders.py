"""A tiny random model of each decoder class of transformers."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    PretrainedConfig,
    PreTrainedModel,
)

#: Sizes by the names that configurations have for them; whoever has none of a name goes without.
SIZES: dict[str, Any] = {
    **dict.fromkeys(
        ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "decoder_layers"), 2
    ),
    **dict.fromkeys(("num_decoder_layers", "encoder_layers"), 2),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "embedding_size", "n_embed"), 32),
    **dict.fromkeys(("emb_dim", "attention_hidden_size", "lru_width", "embed_dim"), 32),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "d_ff"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "ffn_hidden_size", "moe_intermediate_size"), 48),
    **dict.fromkeys(("d_inner", "dff", "shared_expert_intermediate_size"), 48),
    "shared_intermediate_size": 48,
    "vocab_size": 101,
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 64),
    **dict.fromkeys(("head_dim", "kv_channels", "d_kv", "attention_head_dim"), 8),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "top_k_experts", "moe_top_k"), 2),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "num_shared_experts"), 1),
    "first_k_dense_replace": 1,
    **dict.fromkeys(("sliding_window", "window_size", "attention_window_size"), 4),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "rotary_dim"), 8),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), None),
}


def tiny(model_type: str, **sizes: Any) -> PretrainedConfig:
    kind = CONFIG_MAPPING[model_type]
    words = set(inspect.signature(kind.__init__).parameters) | set(kind.attribute_map)
    known = {name: value for name, value in SIZES.items() if name in words}
    mapped = {kind.attribute_map.get(name, name): value for name, value in known.items()}
    return kind(**(mapped | OVERRIDES.get(model_type, {}) | sizes))


def model_of(config: PretrainedConfig) -> PreTrainedModel:
    torch.manual_seed(0)
    kind = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    return kind._from_config(config).eval()


#: Attention with a latent cache has a key and a value for each head.
_LATENT = {"num_key_value_heads": 4, "head_dim": 8}
OVERRIDES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            *("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite"),
            *("glm_moe_dsa", "longcat_flash", "minicpm3", "youtu", "dots3_note_text"),
        ),
        _LATENT,
    ),
}
