"""Zamba2 by hand: blocks that layers share are read in each of them, and are parameters once."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import SIZES, TINY

from hwmodels import Op
from neurt.closed_form.passes import decode, prefill
from neurt.closed_form.plan import plan_asa
from neurt.families import ShapeError, SharedBlock, read_shape
from neurt.families.parameters import parameters

# The sizes that transformers takes where nothing is said, those of Zyphra/Zamba2-2.7B but for its
# 80 heads of Mamba-2 and its two blocks: 54 layers, 9 of them with a shared block.
ZAMBA: dict[str, Any] = {
    "model_type": "zamba2",
    "hidden_size": 2560,
    "num_hidden_layers": 54,
    "num_attention_heads": 32,
    "n_mamba_heads": 80,
    "num_mem_blocks": 2,
}
WIDTH, INNER, RANK = 2560, 10_240, 128
#: 80 heads of 64 channels with 64 entries of state; 5,248 channels are convolved.
MIXER = WIDTH * (2 * 5120 + 2 * 64 + 80) + 5120 * WIDTH
#: 32 heads of 160 channels, of vectors of 5,120; a fused gate.
BLOCK = 3 * 5120 * 5120 + 5120 * WIDTH + 3 * WIDTH * INNER
ADAPTERS = RANK * (WIDTH + 2 * INNER)
OWN = WIDTH * WIDTH  # the projection of what a block gives


def test_the_sizes_of_2_7b_are_the_closed_form() -> None:
    shape = read_shape(ZAMBA, "mine")
    assert [kind.mixer.call for kind in shape.each if isinstance(kind.mixer, SharedBlock)] == [
        *range(9)
    ]
    token = 54 * MIXER + 9 * (BLOCK + ADAPTERS + OWN) + 32_000 * WIDTH
    scan = 54 * (2 * 80 * 64 * 64 + 4 * 5248)
    pair = 9 * 2 * 32 * 160
    assert plan_asa(shape, prefill(50)).dense_macs == 50 * (token + scan + 50 * pair)
    counts = plan_asa(shape, decode(1000, batch=2))
    assert counts.dense_macs == 2 * (token + scan + 1000 * pair)
    # Each layer reads the weights of its block, which 9 of them are.
    assert counts.total(Op.WEIGHT_READ) == token + 54 * 4 * 5248
    # Parameters are those of 2 blocks; kernels, biases, A, D, the bias of the step, norms.
    small = 54 * (5 * 5248 + 3 * 80 + 5120 + WIDTH) + 2 * 3 * WIDTH + WIDTH
    total = token - 7 * BLOCK + small
    assert parameters(shape) == (total, total, 0)
    assert round(total / 1e9, 1) == 2.7


SMALL = {**SIZES, **TINY["zamba2"][1], "model_type": "zamba2"}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"layers_block_type": ["mamba"]}, "'layers_block_type' (= ['mamba']) must name one of"),
        ({"layers_block_type": None}, "'layers_block_type' (= None) must name one of mamba"),
        ({"n_mamba_heads": 7}, "'n_mamba_heads' (= 7) must divide its 64 channels"),
        ({"mamba_ngroups": 3}, "'mamba_ngroups' (= 3) must divide 'n_mamba_heads' (= 8)"),
        ({"use_shared_attention_adapter": True}, "must be 4, for adapters of K and V"),
        ({"num_mem_blocks": 0}, "'num_mem_blocks' (= 0) must be an integer >= 1"),
    ],
)
def test_a_configuration_of_no_model_is_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ShapeError) as refused:
        read_shape({**SMALL, **changed}, "mine")
    assert sentence in str(refused.value)
