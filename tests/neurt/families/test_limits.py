"""Sizes that contradict each other are refused, and lengths without a limit are not."""

from __future__ import annotations

from typing import Any

import pytest
from builders import refused
from tiny_models import SIZES

from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import ShapeError, read_shape
from neurt.families.parameters import parameters

#: 8 experts in 4 groups of 2, of which a token sees 2 groups, that is 4 experts.
GROUPED = {"n_routed_experts": 8, "n_group": 4, "topk_group": 2, "num_experts_per_tok": 4}
LATENT = {
    "model_type": "deepseek_v3",
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
}


def read(config: dict[str, Any]) -> object:
    return read_shape({**SIZES, **config}, "m")


def test_a_token_chooses_experts_of_the_groups_that_it_chose() -> None:
    read({**LATENT, **GROUPED})
    said = refused(ShapeError, read, {**LATENT, **GROUPED, "num_experts_per_tok": 5})
    assert said == (
        "model 'm': 'num_experts_per_tok' (= 5) must be at most the 4 of 'topk_group' groups"
    )
    said = refused(ShapeError, read, {**LATENT, **GROUPED, "topk_group": 5})
    assert said == "model 'm': 'topk_group' (= 5) must be at most 'n_group' (= 4)"


def test_cached_heads_of_falcon_divide_its_heads() -> None:
    later = {"model_type": "falcon", "new_decoder_architecture": True, "num_kv_heads": 3}
    said = refused(ShapeError, read, {**later, "num_attention_heads": 4})
    assert said == "model 'm': 'num_kv_heads' (= 3) must divide 'num_attention_heads' (= 4)"


@pytest.mark.parametrize(
    "special", [{"model_type": "bloom"}, {"model_type": "falcon", "alibi": True}]
)
def test_scores_that_fall_with_distance_have_no_longest_sequence(special: dict[str, Any]) -> None:
    config = {**SIZES, "n_layer": 2, "n_head": 4, **special}
    if special["model_type"] == "falcon":
        del config["n_layer"], config["n_head"]
    short, long = (plan_asa(read_shape(config, "m"), prefill(n)) for n in (3000, 6000))
    # Layers grow with S, products of all pairs with S^2: 2 layers x 2 products x width 32.
    assert long.dense_macs - 2 * short.dense_macs == 2 * 2 * 32 * (6000**2 - 2 * 3000**2)


HYBRID = {"model_type": "nemotron_h", "hybrid_override_pattern": "ME*E", "head_dim": 8}
HYBRID |= {"mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 6, "n_groups": 2}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**LATENT, "qk_rope_head_dim": 5}, "'qk_rope_head_dim' (= 5) must be even"),
        ({**LATENT, "n_shared_experts": -1}, "'n_shared_experts' (= -1) must be an integer >= 1"),
        ({**LATENT, "model_type": "deepseek_v2", "mlp_bias": True}, "'mlp_bias' (= True) has no"),
        (
            {"model_type": "qwen3_moe", "mlp_only_layers": [0, 2]},
            "'mlp_only_layers' (= [0, 2]) must be a list of the indices of layers, 0 to 1",
        ),
        ({"model_type": "qwen3_moe", "mlp_only_layers": [-1]}, "'mlp_only_layers' (= [-1]) must"),
        (
            {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 5},
            "'num_experts_per_tok' (= 5) must be at most 'num_local_experts' (= 4)",
        ),
        (
            {"model_type": "mixtral", "num_local_experts": 4, "num_experts": 8},
            "'num_local_experts' (= 4) and 'num_experts' (= 8) are one size; keep one of them",
        ),
        ({"model_type": "mistral", "sliding_window": 0}, "'sliding_window' (= 0) must be an"),
        ({"model_type": "gemma2", "sliding_window": -4}, "'sliding_window' (= -4) must be an"),
        (
            {"model_type": "gemma3_text", "layer_types": ["full_attention"]},
            "'layer_types' (= ['full_attention']) must name one of",
        ),
        (
            {"model_type": "olmo3", "layer_types": ["full_attention", "local"]},
            "'layer_types' (= ['full_attention', 'local']) must name one of",
        ),
        (
            {"model_type": "llama", "num_attention_heads": 5, "num_key_value_heads": 5},
            "'hidden_size' (= 32) must be divisible by 'num_attention_heads' (= 5)",
        ),
        (
            {"model_type": "llama", "num_key_value_heads": 3},
            "'num_attention_heads' (= 4) must be divisible by 'num_key_value_heads' (= 3)",
        ),
        (
            {"model_type": "falcon", "new_decoder_architecture": True, "parallel_attn": False},
            "'parallel_attn' (= False) has no counting rule; supported: True",
        ),
        ({"model_type": "mamba2", "expand": None}, "'expand' (= None) must be a number > 0"),
        ({**HYBRID, "n_group": 2, "topk_group": 3}, "'topk_group' (= 3) must be at most 'n_group'"),
        ({**HYBRID, "mlp_bias": True}, "'mlp_bias' (= True) has no counting rule"),
    ],
)
def test_sizes_of_no_model_are_one_line(config: dict[str, Any], said: str) -> None:
    assert refused(ShapeError, read, config).startswith(f"model 'm': {said}")


def test_null_is_no_block_beside_the_experts() -> None:
    # Of 2 layers one has experts, and beside them 3 matrices of 32 x 2048.
    config = {**SIZES, **LATENT, **GROUPED, "first_k_dense_replace": 1}
    without, one = (read_shape({**config, "n_shared_experts": number}, "m") for number in (None, 1))
    assert parameters(one).total - parameters(without).total == 3 * 32 * 2048
    assert not any("shared" in row.name for row in plan_asa(without, prefill(4)).layers)
