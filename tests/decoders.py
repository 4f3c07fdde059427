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
        ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "decoder_layers", "depth"), 2
    ),
    **dict.fromkeys(("num_decoder_layers", "encoder_layers", "num_blocks"), 2),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "embedding_size", "n_embed"), 32),
    **dict.fromkeys(("emb_dim", "attention_hidden_size", "lru_width", "embed_dim"), 32),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "d_ff"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "ffn_hidden_size", "moe_intermediate_size"), 48),
    **dict.fromkeys(("d_inner", "dff", "shared_expert_intermediate_size"), 48),
    "shared_intermediate_size": 48,
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), 101),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 64),
    **dict.fromkeys(("head_dim", "kv_channels", "d_kv", "attention_head_dim"), 8),
    **dict.fromkeys(("linear_head_dim", "hidden_size_per_layer_input", "global_head_dim"), 8),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "top_k_experts", "moe_top_k"), 2),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts", "num_shared_experts"), 1),
    "first_k_dense_replace": 1,
    **dict.fromkeys(("sliding_window", "window_size", "attention_window_size"), 4),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "rotary_dim"), 8),
    **dict.fromkeys(("image_size", "patch_size"), 8),
    "out_hidden_size": 32,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), None),
}

#: Parts that cannot be made so small, or of which a count of text runs nothing.
_ROBERTA = {"pad_token_id": 1}
_LATENT = {"num_key_value_heads": 4, "head_dim": 8}  # a key and a value for each head
_LINEAR = {"layer_types": ["linear_attention", "full_attention"]}
_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16}
_ZAMBA = {"layer_types": ["mamba", "hybrid"] * 2, "num_hidden_layers": 4}
_UNSHARED = {"num_kv_shared_layers": 0}
OVERRIDES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            *("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite"),
            *("glm_moe_dsa", "longcat_flash", "minicpm3", "youtu"),
        ),
        _LATENT,
    ),
    **dict.fromkeys(
        (
            *("camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta"),
            *("xlm-roberta-xl", "prophetnet"),
        ),
        _ROBERTA,
    ),
    **dict.fromkeys(
        ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "olmo_hybrid"),
        _LINEAR,
    ),
    "qwen4_exp_text": {
        **_LINEAR,
        **{"indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8},
        **{"indexer_budget": 4, "indexer_compress_ratio": 2},
    },
    "cohere_compass_text": {
        "rope_parameters": {
            name: {"rope_theta": 1e4, "rope_type": "default"}
            for name in ("full_attention", "sliding_attention")
        }
    },
    "gemma3n_text": _UNSHARED,
    **{kind: {**_UNSHARED, "pad_token_id": 0} for kind in ("gemma4_text", "gemma4_unified_text")},
    "blt": {"encoder_hash_byte_group_vocab": 101},
    "dots3_note_text": {**_LATENT, "per_layer_config": {}},
    "emu3_text_model": {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1},
    "mllama_text_model": {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1},
    "roc_bert": {
        **dict.fromkeys(("pronunciation_vocab_size", "shape_vocab_size"), 101),
        **dict.fromkeys(("pronunciation_embed_dim", "shape_embed_dim"), 8),
    },
    "bamba": {**_MAMBA, "attn_layer_indices": [1]},
    "bailing_hybrid": {"layer_types": ["linear_attention", "full_attention"], **_LATENT},
    "cwm": {"bos_token_id": 1},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 1e4},
        "ffn_config": {
            **{"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
        },
    },
    "falcon_h1": {**_MAMBA, "mamba_d_ssm": 64},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "lfm3": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 4, "head_dim": 16, "state_size": 16, "n_groups": 1},
    "modernbert-decoder": {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1},
    "nemotron_h": {
        **{"mamba_num_heads": 4, "mamba_head_dim": 16, "ssm_state_size": 16, "n_groups": 1},
    },
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "reformer": {
        **{"is_decoder": True, "axial_pos_shape": (8, 8), "axial_pos_embds_dim": (16, 16)},
        **{"attn_layers": ["local", "local"], "local_attn_chunk_length": 4, "pad_token_id": 0},
    },
    "xlm": {"pad_token_id": 2},
    "xmod": {**_ROBERTA, "languages": ["en_XX"], "default_language": "en_XX"},
    # Attention over the states and the embeddings beside them: twice the width.
    "zamba": {
        **{"layers_block_type": ["mamba", "hybrid"] * 2, "num_hidden_layers": 4},
        **{"attention_hidden_size": 64, "attention_head_dim": 16},
    },
    "zamba2": {**_ZAMBA, "hybrid_layer_ids": [1, 3]},
    "zaya": {"num_experts_per_tok": 1},
}


def tiny(model_type: str, **sizes: Any) -> PretrainedConfig:
    """The smallest configuration of a type of which all parts are there."""
    return _of(CONFIG_MAPPING[model_type], OVERRIDES.get(model_type, {}) | sizes)


def _of(kind: type[PretrainedConfig], sizes: dict[str, Any]) -> PretrainedConfig:
    words = set(inspect.signature(kind.__init__).parameters) | set(kind.attribute_map)
    known = {name: value for name, value in SIZES.items() if name in words}
    mapped = {kind.attribute_map.get(name, name): value for name, value in known.items()}
    for part in kind.sub_configs:
        if part in sizes or (own := getattr(kind(), part, None)) is None:
            continue
        mapped[part] = _of(type(own), OVERRIDES.get(own.model_type, {})).to_dict()
    return kind(**(mapped | sizes))


def model_of(config: PretrainedConfig) -> PreTrainedModel:
    """A model of random weights that follow from a seed, in evaluation mode."""
    torch.manual_seed(0)
    kind = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    text = config.get_text_config()
    if kind.config_class is type(text):
        config = text
    model: PreTrainedModel = kind._from_config(config)
    return model.eval().requires_grad_(False)
