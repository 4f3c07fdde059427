"""Tiny models of each family that is planned and not converted, by what is special of them."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

#: Four query heads share two cached ones.
SIZES: dict[str, Any] = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 101,
    "max_position_embeddings": 64,
}
_LOCAL = {"head_dim": 10, "sliding_window": 4}
_BIASED = {"attention_bias": True}

#: 8 heads of 8 channels, 6 entries of state for each, chunks of fewer tokens than there are.
_STATES = {"num_heads": 8, "head_dim": 8, "state_size": 6, "n_groups": 2, "chunk_size": 4}
#: 4 heads of values of 10 channels, which share 2 of keys of 6.
_DELTA = {
    **{"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 6},
    **{"linear_value_head_dim": 10, "linear_conv_kernel_dim": 3, "head_dim": 16},
    "layer_types": ["linear_attention", "full_attention"],
}
_HYBRID = {
    **{"mamba_num_heads": 8, "mamba_head_dim": 10, "ssm_state_size": 6, "n_groups": 2},
    **{"chunk_size": 4, "head_dim": 12},
}

_OPT = {"ffn_dim": 48, "word_embed_proj_dim": 32}

#: `model_type`, and what differs from `SIZES`.
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3": ("qwen3", {"head_dim": 12}),
    "qwen3, biased and tied": ("qwen3", {**_BIASED, "head_dim": 8, "tie_word_embeddings": True}),
    "qwen3, late windows": (
        "qwen3",
        {**_LOCAL, "use_sliding_window": True, "max_window_layers": 1},
    ),
    "gemma": ("gemma", {"head_dim": 12}),
    "gemma2": ("gemma2", _LOCAL),
    "gemma2, no caps": ("gemma2", {**_LOCAL, "attn_logit_softcapping": None}),
    "gemma3": ("gemma3_text", {**_LOCAL, "num_hidden_layers": 6}),
    "gemma3, local alone": ("gemma3_text", _LOCAL),
    "phi3": ("phi3", {}),
    "phi3, partly rotated": ("phi3", {"partial_rotary_factor": 0.5, "sliding_window": 4}),
    "phi": ("phi", {}),
    "olmo": ("olmo", {}),
    "olmo2": ("olmo2", {}),
    "olmo3": ("olmo3", {"num_hidden_layers": 4, "sliding_window": 4}),
    "granite": ("granite", {**_BIASED, "mlp_bias": True, "residual_multiplier": 0.2}),
    "smollm3": ("smollm3", {"num_hidden_layers": 4}),
    "cohere": ("cohere", {}),
    "cohere2": ("cohere2", {**_LOCAL, "num_hidden_layers": 4}),
    "stablelm": ("stablelm", {}),
    "stablelm, parallel": ("stablelm", {"use_parallel_residual": True, "use_qkv_bias": True}),
    "phi, normed": ("phi", {"qk_layernorm": True}),
    "cohere, normed": ("cohere", {"use_qk_norm": True}),
    "stablelm, normed": ("stablelm", {"qk_layernorm": True}),
    "stablelm, parallel and normed": (
        "stablelm",
        {"use_parallel_residual": True, "qk_layernorm": True},
    ),
    "starcoder2": ("starcoder2", {"sliding_window": 4}),
    "starcoder2, no bias": ("starcoder2", {"use_bias": False, "sliding_window": None}),
    "gpt_neox": ("gpt_neox", {}),
    "gptj": ("gptj", {"rotary_dim": 4}),
    "bloom": ("bloom", {}),
    "falcon": ("falcon", {}),
    "falcon, several cached heads": (
        "falcon",
        {"new_decoder_architecture": True, "num_kv_heads": 2, "bias": True},
    ),
    "falcon, one norm": (
        "falcon",
        {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
    ),
    "falcon, in sequence": (
        "falcon",
        {"parallel_attn": False, "multi_query": False, "alibi": True},
    ),
    "opt": ("opt", _OPT),
    "opt, norms after and a narrow table": (
        "opt",
        {**_OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 12},
    ),
    "opt, no last norm and none with weights": (
        "opt",
        {**_OPT, "_remove_final_layer_norm": True, "layer_norm_elementwise_affine": False},
    ),
    "gpt_neox, all rotated": ("gpt_neox", {"rotary_pct": 1.0, "attention_bias": False}),
    "qwen3_5_text": ("qwen3_5_text", _DELTA),
    "mamba2": ("mamba2", _STATES),
    "mamba2, biased and tied": (
        "mamba2",
        {
            **{**_STATES, "n_groups": 1, "conv_kernel": 3, "use_bias": True},
            **{"use_conv_bias": False, "tie_word_embeddings": True},
        },
    ),
    "nemotron_h": ("nemotron_h", {**_HYBRID, "hybrid_override_pattern": "M-*M"}),
    "nemotron_h, biased": (
        "nemotron_h",
        {
            **{**_HYBRID, "mlp_bias": True, "use_bias": True, "mlp_hidden_act": "silu"},
            "layers_block_type": ["full_attention", "mlp", "linear_attention"],
        },
    ),
}

#: Mixers of 8 heads of 8 channels with 6 entries of state.
_MIXER = {
    **{"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 6, "mamba_n_groups": 2},
    "mamba_chunk_size": 4,
}
TINY |= {
    "bamba": ("bamba", {**_MIXER, "attn_layer_indices": [1]}),
    "bamba, biased": (
        "bamba",
        {
            **{**_MIXER, "attn_layer_indices": [0], "mamba_proj_bias": True},
            **{"mamba_conv_bias": False, "attention_bias": True, "mlp_bias": True},
        },
    ),
    "falcon_h1": ("falcon_h1", {**_MIXER, "mamba_d_ssm": 64}),
    "falcon_h1, normed and biased": (
        "falcon_h1",
        {
            **{**_MIXER, "mamba_d_ssm": None, "mamba_rms_norm": True, "mlp_bias": True},
            **{"mamba_proj_bias": True, "attention_bias": True, "projectors_bias": True},
            **{"mlp_multipliers": [0.5, 2.0], "ssm_in_multiplier": 0.5},
        },
    ),
    "granitemoehybrid, dense": (
        "granitemoehybrid",
        {
            **{**_MIXER, "num_local_experts": 0, "shared_intermediate_size": 40},
            "layer_types": ["linear_attention", "full_attention"],
        },
    ),
}

_ZAMBA = {
    **{"n_mamba_heads": 8, "mamba_d_state": 6, "mamba_ngroups": 2, "chunk_size": 4},
    "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid", "hybrid"],
    "num_hidden_layers": 5,
}
TINY |= {
    "zamba2": ("zamba2", {**_ZAMBA, "num_mem_blocks": 2, "adapter_rank": 3}),
    "zamba2, adapters and positions": (
        "zamba2",
        {
            **{**_ZAMBA, "use_shared_attention_adapter": True, "adapter_rank": 3},
            **{"use_mem_rope": True, "num_key_value_heads": 4},
            **{"use_conv_bias": False, "add_bias_linear": True},
        },
    ),
}

_EXPERTS = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2}

_SHARED = {"moe_intermediate_size": 24, "shared_expert_intermediate_size": 40}

_LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 12,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 6,
    "v_head_dim": 10,
    "n_routed_experts": 4,
    "n_shared_experts": 2,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "first_k_dense_replace": 1,
    "n_group": 2,
    "topk_group": 1,
}

#: Llama 4: chunks of 4 tokens, and one layer in four that sees everything.
_CHUNKED = {
    **{**_EXPERTS, "num_hidden_layers": 4, "attention_chunk_size": 4, "head_dim": 10},
    **{"intermediate_size": 24, "intermediate_size_mlp": 48},
}

#: The same of mixtures of experts; how many experts are read depends on what tokens chose.
MIXTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "mixtral": ("mixtral", {**_EXPERTS, "sliding_window": 4}),
    "qwen3_moe": ("qwen3_moe", {**_EXPERTS, "head_dim": 8, "moe_intermediate_size": 24}),
    "qwen3_moe, some layers": (
        "qwen3_moe",
        {**_EXPERTS, "norm_topk_prob": True, "mlp_only_layers": [0], "attention_bias": True},
    ),
    "olmoe": ("olmoe", _EXPERTS),
    "deepseek_v3": ("deepseek_v3", _LATENT),
    "deepseek_v3, queries made directly": (
        "deepseek_v3",
        {**_LATENT, "q_lora_rank": None, "n_group": 1, "topk_group": 1, "norm_topk_prob": False},
    ),
    "deepseek_v2": (
        "deepseek_v2",
        {**_LATENT, "topk_method": "group_limited_greedy", "routed_scaling_factor": 16.0},
    ),
    "gpt_oss": ("gpt_oss", {**_EXPERTS, "head_dim": 10, "sliding_window": 4}),
    "llama4_text": ("llama4_text", _CHUNKED),
    "llama4_text, interleaved": (
        "llama4_text",
        {
            **{**_CHUNKED, "num_local_experts": 4, "interleave_moe_layer_step": 2},
            **{"use_qk_norm": False, "attention_bias": True, "no_rope_layer_interval": 2},
        },
    ),
    "qwen2_moe": ("qwen2_moe", {**_EXPERTS, **_SHARED, "use_sliding_window": True}),
    "qwen3_next": ("qwen3_next", {**_DELTA, **_EXPERTS, **_SHARED}),
    "qwen3_next, biased": (
        "qwen3_next",
        {
            **{**_DELTA, **_EXPERTS, **_SHARED, "attention_bias": True, "norm_topk_prob": False},
            **{"mlp_only_layers": [1], "partial_rotary_factor": 1.0},
        },
    ),
    "qwen3_5_moe_text": ("qwen3_5_moe_text", {**_DELTA, **_EXPERTS, **_SHARED}),
    "granitemoehybrid": (
        "granitemoehybrid",
        {
            **{**_MIXER, **_EXPERTS, "shared_intermediate_size": 40, "attention_bias": True},
            **{"layer_types": ["mamba", "attention"], "position_embedding_type": "rope"},
        },
    ),
    "nemotron_h, experts": (
        "nemotron_h",
        {
            **{**_HYBRID, "hybrid_override_pattern": "ME*E", "n_routed_experts": 4},
            **{"num_experts_per_tok": 2, "moe_intermediate_size": 24, "n_group": 2},
            **{"topk_group": 1, "moe_shared_expert_intermediate_size": 40},
            "routed_scaling_factor": 2.5,
        },
    ),
}


def tiny_model(kind: str, **sizes: Any) -> PreTrainedModel:
    """A model of `TINY` or of `MIXTURES` with random weights."""
    model_type, special = (TINY | MIXTURES)[kind]
    words = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    config = AutoConfig.for_model(model_type, **{**SIZES, **words, **special, **sizes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model.eval()
