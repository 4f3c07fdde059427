from __future__ import annotations

from itertools import combinations, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.formulas import linear
from energy.formulas.experts import (
    Routing,
    Scoring,
    expected_experts,
    expert_product,
    routing,
    weighted_sum,
)
from hwmodels import Op


@pytest.mark.parametrize(("experts", "chosen", "tokens"), [(4, 2, 3), (5, 1, 2), (3, 3, 2)])
def test_expected_experts_are_the_mean_over_all_choices(
    experts: int, chosen: int, tokens: int
) -> None:
    choices = list(combinations(range(experts), chosen))
    seen = sum(len(set().union(*each)) for each in product(choices, repeat=tokens))
    mean = seen / comb(experts, chosen) ** tokens
    assert expected_experts(experts, chosen, tokens) == pytest.approx(mean, rel=1e-12)


@given(experts=st.integers(1, 512), tokens=st.integers(0, 10_000), data=st.data())
def test_expected_experts_are_between_those_of_one_token_and_all(
    experts: int, tokens: int, data: st.DataObject
) -> None:
    chosen = data.draw(st.integers(1, experts))
    found = expected_experts(experts, chosen, tokens)
    assert (0 if tokens == 0 else chosen - 1e-9) <= found <= experts


def test_expected_experts_of_published_models() -> None:
    assert expected_experts(8, 2, 1) == pytest.approx(2)  # Mixtral, one token
    assert expected_experts(128, 8, 32) == pytest.approx(128 * (1 - (15 / 16) ** 32))  # Qwen3-30B


def test_a_product_of_experts_reads_the_weights_of_those_that_were_chosen() -> None:
    # 6 pairs of token and expert, 3 experts of 4 x 5
    tally = expert_product(6, 4, 5, 3, bias=True)
    assert tally.ops == {
        Op.MAC: 6 * 4 * 5,
        Op.WEIGHT_READ: 3 * 4 * 5,
        Op.VECTOR_READ: 3 * 5,
        Op.ACTIVATION_READ: 6 * 4,
        Op.ACTIVATION_WRITE: 6 * 5,
    }
    assert tally.dense_macs == 120


@pytest.mark.parametrize("bias", [False, True])
def test_one_expert_is_a_dense_layer(bias: bool) -> None:
    assert expert_product(6, 4, 5, 1, bias=bias) == linear(6, 4, 5, bias=bias)


def test_routing_with_a_softmax_before_the_choice() -> None:
    # Of 8 experts 2: softmax 7 CMP, 15 ADD, 8 EXP, 8 DIV; choice 7 + 6 CMP; sum 1 ADD, 2 DIV
    tally = routing(3, Routing(8, 2, Scoring.SOFTMAX, normalised=True))
    assert tally.ops == {
        Op.CMP: 3 * 20,
        Op.ADD: 3 * 16,
        Op.EXP: 3 * 8,
        Op.DIV: 3 * 10,
        Op.MUL: 0,
        Op.VECTOR_READ: 0,
        Op.ACTIVATION_READ: 3 * 8,
        Op.ACTIVATION_WRITE: 3 * 2,
    }


def test_routing_among_those_near_the_best() -> None:
    # Of 8 experts 2, each choice: 7 CMP for the largest, 8 for the larger of it and |s|, 8 SUB and
    # DIV, 8 CMP with a share; softmax 7 CMP, 15 ADD, 8 EXP, 8 DIV
    tally = routing(3, Routing(8, 2, Scoring.NEAR_BEST))
    each = {Op.CMP: 30, Op.ADD: 23, Op.EXP: 8, Op.DIV: 16}
    assert {op: tally.ops[op] for op in each} == {op: 3 * 2 * n for op, n in each.items()}


def test_routing_with_a_softmax_of_the_chosen() -> None:
    # Choice 7 + 6 CMP; softmax of 2: 1 CMP, 3 ADD, 2 EXP, 2 DIV
    tally = routing(1, Routing(8, 2, Scoring.SOFTMAX_CHOSEN))
    assert [tally.ops[op] for op in (Op.CMP, Op.ADD, Op.EXP, Op.DIV)] == [14, 3, 2, 2]


def test_routing_of_deepseek_v3() -> None:
    # 256 experts in 8 groups of 32, of which 4, then 8 experts of the 256.
    how = Routing(256, 8, Scoring.SIGMOID, True, True, True, 8, 4)
    tally = routing(1, how)
    groups = 8 * (31 + 30) + (7 + 6 + 5 + 4)
    assert tally.ops[Op.CMP] == sum(range(248, 256)) + groups
    # sigmoid 256, bias 256, sum of the chosen 7, sum of the best two of 8 groups
    assert tally.ops[Op.ADD] == 256 + 256 + 7 + 8
    assert (tally.ops[Op.EXP], tally.ops[Op.DIV], tally.ops[Op.MUL]) == (256, 256 + 8, 8)
    assert tally.ops[Op.VECTOR_READ] == 256


def test_weighted_sum() -> None:
    # 3 tokens, 2 experts each, 5 channels: 2 MUL, 1 ADD; 2 results and 2 weights are read
    tally = weighted_sum(3, 2, 5)
    assert tally.ops == {
        Op.MUL: 30,
        Op.ADD: 15,
        Op.ACTIVATION_READ: 30 + 6,
        Op.ACTIVATION_WRITE: 15,
    }
