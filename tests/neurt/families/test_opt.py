from __future__ import annotations

from typing import Any

import pytest
from builders import refused

from hwmodels import Op
from neurt.closed_form.passes import PlanError, decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.closed_form.plan_spiking import plan_ssa
from neurt.families import Shape, ShapeError, read_shape
from neurt.families.parameters import parameters
from neurt.spiking.config import SpikingConfig

# As in the `config.json` of facebook/opt-125m.
OPT_125M: dict[str, Any] = {
    "_remove_final_layer_norm": False,
    "activation_function": "relu",
    "do_layer_norm_before": True,
    "ffn_dim": 3072,
    "hidden_size": 768,
    "max_position_embeddings": 2048,
    "model_type": "opt",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "vocab_size": 50272,
    "word_embed_proj_dim": 768,
}


def test_what_a_config_says_is_read() -> None:
    shape = Shape(12, 768, 12, 3072, 50272, 2048, model_type="opt", activation="relu")
    assert read_shape(OPT_125M, "opt") == shape
    bare = read_shape(OPT_125M | {"enable_bias": False}, "opt")
    assert (bare.qkv_bias, bare.out_bias, bare.ffn_bias) == (False, False, False)


def test_the_sizes_give_the_published_number_of_parameters() -> None:
    shape = read_shape(OPT_125M, "opt")
    # Tied embedding, 2 positions more than are used, last norm: (50272 + 2048 + 2 + 2) x 768; of a
    # layer 4 x 768^2 + 2 x 768 x 3072 weights, 5 x 768 + 3072 biases, 2 norms of 2 x 768.
    assert 52_324 * 768 + 12 * (7_077_888 + 6_912 + 3_072) == 125_239_296
    assert parameters(shape) == (125_239_296, 125_239_296, 0)


def test_macs_of_125m_equal_the_closed_form() -> None:
    # Each token: 12 L d^2 + V d = 12 x 12 x 768^2 + 50272 x 768 = 84,934,656 + 38,608,896.
    shape, token = read_shape(OPT_125M, "opt"), 123_543_552
    # Q K^T and A V: 2 L d for each query-key pair.
    assert plan_asa(shape, prefill(128)).dense_macs == 128 * token + 2 * 12 * 768 * 128**2
    counts = plan_asa(shape, decode(1024))
    assert counts.dense_macs == token + 2 * 12 * 768 * 1024
    assert counts.total(Op.WEIGHT_READ) == token
    assert counts.total(Op.KV_READ) == 2 * 12 * 768 * 1024


#: As in the `config.json` of facebook/opt-350m.
OPT_350M = OPT_125M | {
    "do_layer_norm_before": False,
    "ffn_dim": 4096,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "word_embed_proj_dim": 512,
}


def test_350m_is_the_closed_form() -> None:
    shape = read_shape(OPT_350M, "opt")
    # Tokens of 512 channels, which 2 x 512 x 1024 weights widen and narrow; no last norm.
    # 50272 x 512 + 2050 x 1024 + 2 x 512 x 1024 + 24 x (12 x 1024^2 + 5 x 1024 + 4096 + 4 x 1024)
    assert 25_739_264 + 2_099_200 + 1_048_576 + 24 * 12_596_224 == 331_196_416
    assert parameters(shape) == (331_196_416, 331_196_416, 0)
    token = 24 * 12 * 1024**2 + 2 * 512 * 1024 + 50_272 * 512
    assert plan_asa(shape, prefill(128)).dense_macs == 128 * token + 2 * 24 * 1024 * 128**2
    counts = plan_asa(shape, decode(1024, batch=2))
    assert counts.dense_macs == 2 * (token + 2 * 24 * 1024 * 1024)
    assert counts.total(Op.WEIGHT_READ) == token
    # Two norms a layer, each one square root a token.
    assert counts.total(Op.SQRT) == 2 * 2 * 24


def test_each_sequence_looks_its_positions_up_by_itself() -> None:
    counts = plan_asa(read_shape(OPT_125M, "opt"), prefill(16, batch=3))
    for name in ("embed_tokens", "embed_positions"):
        row = counts.layer(f"model.decoder.{name}")
        assert row.ops[Op.VECTOR_READ] == 3 * 16 * 768


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"do_layer_norm_before": "no"}, "'do_layer_norm_before' (= 'no') must be true or false"),
        ({"word_embed_proj_dim": 0}, "'word_embed_proj_dim' (= 0) must be an integer >= 1"),
        ({"sliding_window": 8}, "'sliding_window' (= 8) has no counting rule"),
        ({"activation_function": "swish"}, "(= 'swish') has no counting rule; supported: 'relu'"),
        ({"hidden_size": 770}, "'hidden_size' (= 770) must be divisible by"),
    ],
    ids=str,
)
def test_what_has_no_rule_is_named(changes: dict[str, Any], said: str) -> None:
    said = refused(ShapeError, read_shape, OPT_125M | changes, "mine")
    assert said.startswith("model 'mine': ")
    assert said in said


def test_its_conversion_is_not_planned() -> None:
    with pytest.raises(PlanError, match=r"type 'opt' \(OPT\) is counted and planned, and not"):
        plan_ssa(read_shape(OPT_125M, "opt"), prefill(8), SpikingConfig(), 0.2)
