"""Bamba, Falcon-H1 and Granite 4 by hand, and what of their configurations is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import SIZES

from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import SelfAttention, ShapeError, SideBySide, StateSpace, read_shape
from neurt.families.parameters import parameters

# As in the `config.json` of ibm-ai-platform/Bamba-9B-v1; the rest is what transformers takes where
# it is not said.
BAMBA: dict[str, Any] = {
    "model_type": "bamba",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "attn_layer_indices": [9, 18, 27],
    "mamba_d_state": 128,
}
#: A mixer of 128 heads of 64 channels with 128 entries of state; 8,448 channels are convolved.
MIXER = 4096 * (2 * 8192 + 2 * 128 + 128) + 8192 * 4096
ATTENTION = 4096 * (32 + 2 * 8) * 128 + 4096**2
BLOCK = 3 * 4096 * 14_336
HEAD = 128_000 * 4096
TOKEN = 29 * MIXER + 3 * ATTENTION + 32 * BLOCK + HEAD


def test_bamba_9b_is_the_closed_form() -> None:
    shape = read_shape(BAMBA, "mine")
    # Kernels of 4 tokens and biases of those channels, A, D, the bias of the step, norms.
    small = 29 * (5 * 8448 + 3 * 128 + 8192) + 65 * 4096
    total = TOKEN + HEAD + small
    assert parameters(shape) == (total, total, HEAD)
    assert round(total / 1e9, 2) == 9.78  # its model card
    states = 29 * 128 * 64 * 128
    scan, pair = 2 * states + 29 * 4 * 8448, 3 * 2 * 32 * 128
    counts = plan_asa(shape, decode(4096, batch=3))
    assert counts.dense_macs == 3 * (TOKEN + scan + 4096 * pair)
    assert plan_asa(shape, prefill(100)).dense_macs == 100 * (TOKEN + scan + 100 * pair)
    for context in (1, 1000):
        read = plan_asa(shape, decode(context)).total(Op.KV_READ)
        assert read == states + 29 * 3 * 8448 + context * 3 * 2 * 8 * 128


SMALL: dict[str, Any] = {
    **SIZES,
    **{"mamba_n_heads": 8, "mamba_d_head": "auto", "mamba_d_state": 6, "mamba_n_groups": 2},
    "mamba_d_ssm": 64,
}


def test_mixers_side_by_side_are_both_there() -> None:
    shape = read_shape({**SMALL, "model_type": "falcon_h1"}, "mine")
    assert {type(kind.mixer) for kind in shape.each} == {SideBySide}
    # Of 2 layers: 32 x (64 + 64 + 24 + 8) + 64 x 32 of the mixer, 32 x (4 + 2 + 2) x 8 + 32 x 32 of
    # attention, 3 x 32 x 48 of the block; the head.
    token = 2 * (7168 + 3072 + 4608) + 101 * 32
    scan = 2 * (2 * 8 * 8 * 6 + 4 * 88)
    counts = plan_asa(shape, decode(10, batch=2))
    assert counts.dense_macs == 2 * (token + scan + 10 * 2 * 2 * 4 * 8)
    # Three additions a layer: of both, of what they read, of the block.
    assert sum(row.label.component == "residual" for row in counts.layers) == 6


def test_granite_adds_what_its_experts_give_to_a_block_of_all() -> None:
    granite = {
        **{**SMALL, "model_type": "granitemoehybrid", "num_local_experts": 4},
        **{"num_experts_per_tok": 2, "shared_intermediate_size": 40},
        "layer_types": ["mamba", "full_attention"],
    }
    shape = read_shape(granite, "mine")
    assert [type(kind.mixer) for kind in shape.each] == [StateSpace, SelfAttention]
    # A mixer, attention; a router of 4, 2 experts of 48 and a block of 40 in each layer; the head.
    token = 7168 + 3072 + 2 * (4 * 32 + 2 * 3 * 32 * 48 + 3 * 32 * 40) + 101 * 32
    scan = 2 * 8 * 8 * 6 + 4 * 88
    counts = plan_asa(shape, decode(10, batch=2))
    assert counts.dense_macs == 2 * (token + scan + 10 * 2 * 4 * 8)
    found = parameters(shape)
    assert found.total - found.active == 2 * 2 * 3 * 32 * 48
    assert "model.rotary_emb" not in [row.name for row in counts.layers]
    rotated = read_shape({**granite, "position_embedding_type": "rope"}, "mine")
    counts = plan_asa(rotated, decode(10))
    assert counts.layer("model.layers.1.self_attn.core.rotary").ops[Op.MUL] == 2 * 6 * 8


@pytest.mark.parametrize(
    ("kind", "changed", "sentence"),
    [
        (
            "bamba",
            {"mamba_d_head": 9},
            "'mamba_n_heads' (= 8) times 'mamba_d_head' (= 9) must be 64 channels",
        ),
        ("bamba", {"mamba_n_groups": 3}, "'mamba_n_groups' (= 3) must divide 'mamba_n_heads'"),
        ("bamba", {"attn_layer_indices": 1}, "(= 1) must be a list of the indices of layers"),
        ("falcon_h1", {"mamba_d_ssm": 60}, "must be 60 channels"),
        ("granitemoehybrid", {"layer_types": ["conv", "mamba"]}, "must name one of mamba, linear"),
        ("granitemoehybrid", {"layer_types": ["mamba"]}, "for each of the layers"),
        ("granitemoehybrid", {"num_experts_per_tok": 9}, "must be at most 'num_local_experts'"),
    ],
)
def test_a_configuration_of_no_model_is_refused(
    kind: str, changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ShapeError) as refused:
        read_shape({**SMALL, "model_type": kind, **changed}, "mine")
    assert sentence in str(refused.value)
