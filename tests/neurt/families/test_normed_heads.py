"""Norms of Q and K that some configurations of Phi, Cohere and StableLM ask for, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import ShapeError, read_shape
from neurt.families.parameters import parameters

# As in the `config.json` of CohereLabs/c4ai-command-r-plus.
COMMAND_R_PLUS: dict[str, Any] = {
    "model_type": "cohere",
    "hidden_size": 12_288,
    "intermediate_size": 33_792,
    "num_attention_heads": 96,
    "num_key_value_heads": 8,
    "num_hidden_layers": 64,
    "vocab_size": 256_000,
    "use_qk_norm": True,
}
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
    "vocab_size": 11,
}


def test_command_r_plus_is_the_closed_form() -> None:
    shape = read_shape(COMMAND_R_PLUS, "mine")
    # 64 x (12288 x (96 + 16) x 128 + 12288^2 + 3 x 12288 x 33792) + 256000 x 12288, tied, and
    # scales: 64 x (12288 + (96 + 8) x 128) + 12288; 104B (its model card)
    layer = 12_288 * 112 * 128 + 12_288**2 + 3 * 12_288 * 33_792
    token = 64 * layer + 256_000 * 12_288
    scales = 64 * (12_288 + 104 * 128) + 12_288
    assert parameters(shape) == (token + scales, token + scales, 0)
    assert token + scales == 103_810_674_688
    counts = plan_asa(shape, decode(1000, batch=2))
    assert counts.dense_macs == 2 * (token + 64 * 1000 * 2 * 96 * 128)
    # One root for each norm of a token: of a layer, of 96 heads of Q and of 8 of K.
    assert counts.total(Op.SQRT) == 2 * (64 * (1 + 96 + 8) + 1)
    norms = [row for row in counts.layers if row.name.endswith(("q_norm", "k_norm"))]
    assert sum(row.ops[Op.VECTOR_READ] for row in norms) == 64 * 104 * 128
    assert plan_asa(shape, prefill(50)).dense_macs == 50 * token + 64 * 50**2 * 2 * 96 * 128


# Of 3 layers, with 4 heads of Q and 2 of K of 16 channels: Phi has one scale and one shift of a
# head for all heads, Cohere a scale for each, StableLM the same.
@pytest.mark.parametrize(
    ("kind", "key", "more"),
    [
        ("phi", "qk_layernorm", 3 * 2 * 2 * 16),
        ("cohere", "use_qk_norm", 3 * 6 * 16),
        ("stablelm", "qk_layernorm", 3 * 6 * 16),
    ],
)
def test_norms_of_heads_are_added(kind: str, key: str, more: int) -> None:
    with_norms, without = (
        read_shape({**SMALL, "model_type": kind, key: normed}, "mine") for normed in (True, False)
    )
    assert parameters(with_norms).total == parameters(without).total + more
    for what, tokens in ((prefill(5, batch=2), 10), (decode(9), 1)):
        normed, bare = (plan_asa(shape, what) for shape in (with_norms, without))
        assert normed.dense_macs == bare.dense_macs
        # One root for each of 6 heads and token.
        assert normed.total(Op.SQRT) - bare.total(Op.SQRT) == 3 * 6 * tokens
        assert normed.total(Op.VECTOR_READ) - bare.total(Op.VECTOR_READ) == more


@pytest.mark.parametrize(
    ("kind", "key"),
    [("phi", "qk_layernorm"), ("cohere", "use_qk_norm"), ("stablelm", "qk_layernorm")],
)
def test_what_is_neither_true_nor_false_is_refused(kind: str, key: str) -> None:
    with pytest.raises(ShapeError, match=rf"'{key}' \(= 'yes'\) must be true or false"):
        read_shape({**SMALL, "model_type": kind, key: "yes"}, "mine")
