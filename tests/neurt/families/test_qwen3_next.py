"""Qwen3-Next: states of keys and values in three layers of four, by hand and in refusals."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import MIXTURES, SIZES

from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import DeltaRule, SelfAttention, Shape, ShapeError, read_shape
from neurt.families.parameters import parameters
from neurt.loading.source import resolve


def published() -> Shape:
    shape = resolve("Qwen3-Next-80B-A3B-Instruct").shape
    assert shape is not None
    return shape


#: Layers: 36 with 32 states of 128 x 128, which 16 heads of queries and keys share, 12 with
#: attention in 16 heads of 256 channels, a gate beside them, and 2 cached heads.
DELTA = 2048 * (2 * 16 * 128 + 2 * 32 * 128 + 2 * 32) + 32 * 128 * 2048
ATTENTION = 2048 * (2 * 16 + 2 * 2) * 256 + 16 * 256 * 2048
EXPERT = 3 * 2048 * 512
#: The router, the weight of the shared block, that block, and 10 of 512 experts.
CHOSEN = 2048 * 512 + 2048 + 11 * EXPERT
HEAD = 151_936 * 2048
TOKEN = 36 * DELTA + 12 * ATTENTION + 48 * CHOSEN + HEAD


def test_parameters_are_those_that_were_published() -> None:
    found = parameters(published())
    # Kernels of 4 tokens, A and the bias of the step, scales of norms.
    small = 36 * (4 * 8192 + 2 * 32 + 128) + 12 * 2 * 256 + (2 * 48 + 1) * 2048
    assert found.active == TOKEN + HEAD + small == 3_874_929_408
    assert found.total == found.active + 48 * 502 * EXPERT == 79_674_391_296
    # 80B in all, 79B without tables of tokens (its model card)
    assert (round(found.total / 1e9), round((found.total - 2 * HEAD) / 1e9)) == (80, 79)


def test_products_and_states_are_the_closed_form() -> None:
    shape, states = published(), 36 * 32 * 128 * 128
    # Per entry of a state k S, the outer product and q S; 4 tokens of 8,192 channels.
    scan = 3 * states + 36 * 4 * 8192
    pair = 12 * 2 * 16 * 256  # of Q K^T and A V
    counts = plan_asa(shape, decode(4096, batch=3))
    assert counts.dense_macs == 3 * (TOKEN + scan + 4096 * pair)
    counts = plan_asa(shape, prefill(2048))
    assert counts.dense_macs == 2048 * (TOKEN + scan + 2048 * pair)
    # States and 3 tokens of a kernel whatever the context; K and V of 12 layers with every key.
    fixed = states + 36 * 3 * 8192
    for context in (1, 1000):
        counts = plan_asa(shape, decode(context))
        assert counts.total(Op.KV_READ) == fixed + context * 12 * 2 * 2 * 256
        assert counts.total(Op.KV_WRITE) == fixed + 12 * 2 * 2 * 256


TINY = {
    **{**SIZES, **MIXTURES["qwen3_next"][1], "model_type": "qwen3_next"},
    **{"num_hidden_layers": 4, "layer_types": None},
}


def test_one_layer_in_four_attends_unless_a_configuration_says_otherwise() -> None:
    def kinds(**said: Any) -> list[type]:
        return [type(kind.mixer) for kind in read_shape({**TINY, **said}, "mine").each]

    assert kinds() == [DeltaRule, DeltaRule, DeltaRule, SelfAttention]
    assert kinds(full_attention_interval=2) == [DeltaRule, SelfAttention] * 2
    assert kinds(layer_types=["full_attention"] * 4) == [SelfAttention] * 4


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"linear_num_value_heads": 5},
            "'linear_num_value_heads' (= 5) must be divisible by 'linear_num_key_heads' (= 2)",
        ),
        ({"layer_types": ["mamba"] * 4}, "must name one of full_attention, linear_attention"),
        ({"linear_conv_kernel_dim": 0}, "'linear_conv_kernel_dim' (= 0) must be an integer >= 1"),
        ({"num_experts_per_tok": 5}, "must be at most 'num_experts' (= 4)"),
        ({"mlp_only_layers": 1}, "'mlp_only_layers' (= 1) must be a list of the indices"),
    ],
)
def test_a_configuration_of_no_model_is_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ShapeError) as refused:
        read_shape({**TINY, **changed}, "mine")
    assert sentence in str(refused.value)


def test_a_model_of_images_holds_one() -> None:
    inside = {**TINY, "model_type": "qwen3_5_moe_text"}
    whole = {"model_type": "qwen3_5_moe", "text_config": inside}
    assert read_shape(whole, "mine") == read_shape(inside, "mine")
