"""Sizes that contradict each other are refused, and lengths without a limit are not."""

from __future__ import annotations

from typing import Any

import pytest
from builders import refused
from tiny_models import SIZES

from neurt.closed_form.passes import prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import ShapeError, read_shape

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
