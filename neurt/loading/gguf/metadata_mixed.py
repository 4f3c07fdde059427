"""The same of mixtures of experts and of decoders with states; see `metadata`. No torch here."""

from __future__ import annotations

from neurt.loading.gguf.contents import GGUFError
from neurt.loading.gguf.metadata import Config, Said, sizes, whole, window


def _experts(said: Said, *, number: str = "num_experts") -> Config:
    inner = "expert_feed_forward_length"
    return {
        number: said.size("expert_count"),
        "num_experts_per_tok": said.size("expert_used_count"),
        "moe_intermediate_size": said.size(inner if said.has(inner) else "feed_forward_length"),
    }


def mixtral(said: Said) -> Config:
    """Mixtral, whose files are of `llama`."""
    return {
        **whole(sizes(said, "mixtral")),
        **_experts(said, number="num_local_experts"),
        "sliding_window": None,
    }


def qwen2_moe(said: Said) -> Config:
    """Qwen2-MoE."""
    shared = said.size("expert_shared_feed_forward_length")
    return {
        **whole(sizes(said, "qwen2_moe")),
        **_experts(said),
        "qkv_bias": said.holds("attn_q.bias"),
        "shared_expert_intermediate_size": shared,
    }


def qwen3_moe(said: Said) -> Config:
    """Qwen3-MoE, whose weights of the chosen experts llama.cpp divides by their sum."""
    return {**whole(sizes(said, "qwen3_moe")), **_experts(said), "norm_topk_prob": True}


def qwen3_next(said: Said) -> Config:
    """Qwen3-Next."""
    heads = said.size("ssm.time_step_rank")
    return {
        **sizes(said, "qwen3_next"),
        **_experts(said),
        "intermediate_size": said.size("feed_forward_length", 1),
        "shared_expert_intermediate_size": said.size("expert_shared_feed_forward_length"),
        "full_attention_interval": said.size("full_attention_interval", 4),
        "linear_conv_kernel_dim": said.size("ssm.conv_kernel"),
        "linear_key_head_dim": said.size("ssm.state_size"),
        "linear_num_key_heads": said.size("ssm.group_count"),
        "linear_num_value_heads": heads,
        "linear_value_head_dim": said.size("ssm.inner_size") // heads,
    }


def olmoe(said: Said) -> Config:
    """OLMoE, whose blocks are its experts."""
    config = {**whole(sizes(said, "olmoe")), **_experts(said)}
    return config | {"intermediate_size": config.pop("moe_intermediate_size")}


def deepseek(said: Said) -> Config:
    """DeepSeek-V2 and -V3, told apart by how their routers score."""
    arch, header = said.arch, said.header
    later = header.metadata.get(f"{arch}.expert_gating_func", 1) == 2
    rotary = said.size("rope.dimension_count")
    rank = said.size("attention.kv_lora_rank")
    made = said.size("attention.key_length_mla", said.size("attention.key_length"))
    experts = _experts(said, number="n_routed_experts")
    shared = said.size("expert_shared_count")
    dense = header.metadata.get(f"{arch}.leading_dense_block_count", 0)
    groups = said.size("expert_group_count", 1)
    query = said.size("attention.q_lora_rank") if said.has("attention.q_lora_rank") else None
    config = whole(sizes(said, "deepseek_v3" if later else "deepseek_v2"))
    return {
        **config,
        **experts,
        "head_dim": rotary,
        "num_key_value_heads": config["num_attention_heads"],
        "q_lora_rank": query,
        "kv_lora_rank": rank,
        "qk_rope_head_dim": rotary,
        "qk_nope_head_dim": made - rotary,
        "v_head_dim": said.size("attention.value_length_mla", said.size("attention.value_length")),
        "n_shared_experts": shared,
        "first_k_dense_replace": dense,
        "n_group": groups,
        "topk_group": said.size("expert_group_used_count", 1),
        "topk_method": "group_limited_greedy" if groups > 1 else "greedy",
        "norm_topk_prob": bool(header.metadata.get(f"{arch}.expert_weights_norm", False)),
        "routed_scaling_factor": header.number(f"{arch}.expert_weights_scale", 1.0),
    }


def gpt_oss(said: Said) -> Config:
    """gpt-oss, of which every second layer has the window."""
    experts = _experts(said, number="num_local_experts")
    config = {**whole(sizes(said, "gpt_oss")), **window(said), **experts}
    return config | {"intermediate_size": config.pop("moe_intermediate_size")}


def llama4(said: Said) -> Config:
    """Llama 4, whose chunks and layers without rotation llama.cpp has in its code."""
    experts = _experts(said, number="num_local_experts")
    inner = experts.pop("moe_intermediate_size")
    return {
        **whole(sizes(said, "llama4_text")),
        **experts,
        "intermediate_size": inner,
        "intermediate_size_mlp": said.size("feed_forward_length"),
        "interleave_moe_layer_step": said.size("interleave_moe_layer_step", 1),
        # llama.cpp norms Q and K in all sizes but the one of 128 experts; the norm has no weights.
        "use_qk_norm": experts["num_local_experts"] != 128,
    }


def mamba2(said: Said) -> Config:
    """Mamba-2."""
    heads, inner = said.size("ssm.time_step_rank"), said.size("ssm.inner_size")
    width = said.size("embedding_length")
    return {
        "model_type": "mamba2",
        "hidden_size": width,
        "num_hidden_layers": said.size("block_count"),
        "num_heads": heads,
        "head_dim": inner // heads,
        "expand": inner / width,
        "state_size": said.size("ssm.state_size"),
        "n_groups": said.size("ssm.group_count"),
        "conv_kernel": said.size("ssm.conv_kernel"),
        "use_bias": said.holds("ssm_in.bias"),
        "use_conv_bias": said.holds("ssm_conv1d.bias"),
    }


def nemotron_h(said: Said) -> Config:
    """Nemotron-H without experts: a layer without cached heads and without a block is Mamba-2."""
    if said.has("expert_count"):
        raise GGUFError(
            f"'{said.header.path}' is a Nemotron-H with experts, whose sizes a GGUF file does not "
            "say completely; give its config.json"
        )
    heads, inner = said.size("ssm.time_step_rank"), said.size("ssm.inner_size")
    cached, blocks = said.each("attention.head_count_kv"), said.each("feed_forward_length")
    kinds = [
        "mlp" if block else "attention" if kv else "mamba"
        for kv, block in zip(cached, blocks, strict=True)
    ]
    attention = said.size("attention.head_count")
    return {
        "model_type": "nemotron_h",
        "hidden_size": said.size("embedding_length"),
        "layers_block_type": kinds,
        "num_attention_heads": attention,
        "num_key_value_heads": max(cached) or 1,
        "head_dim": said.size("attention.key_length", said.size("embedding_length") // attention),
        "intermediate_size": max(blocks) or 1,
        "max_position_embeddings": said.size("context_length"),
        "mamba_num_heads": heads,
        "mamba_head_dim": inner // heads,
        "ssm_state_size": said.size("ssm.state_size"),
        "n_groups": said.size("ssm.group_count"),
        "conv_kernel": said.size("ssm.conv_kernel"),
        "use_bias": said.holds("ssm_in.bias"),
        "use_conv_bias": said.holds("ssm_conv1d.bias"),
        "mlp_bias": said.holds("ffn_up.bias"),
    }
