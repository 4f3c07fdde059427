from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.formulas import Attention, Window, pairs
from energy.formulas.attention import Product, analog_attention
from energy.formulas.conventions import attended, held
from energy.formulas.nonlinear import softmax
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL


def sees(query: int, key: int, window: Window | None) -> bool:
    """Whether a mask leaves a pair of tokens."""
    if key > query:
        return False
    if window is None:
        return True
    if window.chunked:
        return query // window.tokens == key // window.tokens
    return query - key < window.tokens


@given(
    queries=st.integers(1, 12),
    past=st.integers(0, 12),
    window=st.builds(Window, st.integers(1, 14), st.booleans()),
)
def test_pairs_are_those_of_the_mask(queries: int, past: int, window: Window) -> None:
    keys = queries + past
    seen = [
        (query, key)
        for query in range(past, keys)
        for key in range(keys)
        if sees(query, key, window)
    ]
    assert pairs(queries, keys, CAUSAL, window) == len(seen)
    assert attended(queries, keys, CAUSAL, window) == len({key for _, key in seen})
    assert pairs(queries, keys, FULL, window) == queries * held(queries, keys, window)


@given(queries=st.integers(1, 9), past=st.integers(0, 9), more=st.integers(0, 3))
def test_a_window_that_holds_all_tokens_is_none(queries: int, past: int, more: int) -> None:
    keys = queries + past
    for attention in Attention:
        wide = Window(keys + more)
        assert pairs(queries, keys, attention, wide) == pairs(queries, keys, attention)
        assert attended(queries, keys, attention, wide) == keys


def test_the_closed_form_of_a_window() -> None:
    # Mistral 7B: of 8,192 tokens with a window of 4,096, w (w + 1) / 2 + (S - w) w
    triangle, rest = 4096 * 4097 // 2, 4096 * 4096
    assert pairs(8192, 8192, CAUSAL, Window(4096)) == triangle + rest == 25_167_872
    # Two chunks of 4,096 do not see each other.
    assert pairs(8192, 8192, CAUSAL, Window(4096, chunked=True)) == 2 * triangle
    # A decoded token meets the window, and in chunks what its own has so far.
    assert pairs(1, 8192, CAUSAL, Window(4096)) == pairs(1, 8192, FULL, Window(4096)) == 4096
    assert pairs(1, 4097, CAUSAL, Window(4096, chunked=True)) == 1


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 3), (CAUSAL, 3)])
def test_a_decoded_token_reads_as_much_of_the_cache_as_it_sees(
    attention: Attention, seen: int
) -> None:
    # 4 heads on 2 cached ones, 1 query, 7 keys, a window of 3, width 8
    tally = analog_attention("scores", Product(4, 1, 7, 8, 2, attention, Window(3)))
    assert tally.ops[Op.MAC] == 4 * seen * 8
    assert tally.ops[Op.KV_READ] == 2 * seen * 8
    assert tally.ops[Op.KV_WRITE] == 2 * 1 * 8
    assert tally.ops[Op.ACTIVATION_WRITE] == 4 * seen


def test_what_a_mask_leaves_otherwise() -> None:
    product = Product(4, 2, 7, 8, 2, CAUSAL, masked=(20, 9))
    tally = analog_attention("mix", product)
    # 20 pairs and 9 rows of V of all heads, width 8
    assert (tally.ops[Op.MAC], tally.ops[Op.KV_READ]) == (160, 72)


def test_softmax_of_a_window() -> None:
    # 2 heads, 5 queries, window 3: 1 + 2 + 3 + 3 + 3 = 12 scores in 5 rows each
    tally = softmax(2, 5, 5, attention=CAUSAL, window=Window(3))
    assert {op: tally.ops[op] for op in (Op.MUL, Op.CMP, Op.ADD, Op.EXP, Op.DIV)} == {
        Op.MUL: 24,
        Op.CMP: 24 - 10,
        Op.ADD: 48 - 10,
        Op.EXP: 24,
        Op.DIV: 24,
    }


def test_a_sink_takes_part_in_maximum_and_sum() -> None:
    plain = softmax(2, 5, 5, attention=FULL).ops
    sunk = softmax(2, 5, 5, attention=FULL, sinks=2).ops
    # 10 rows have one score more that is compared, taken from, raised, added; 2 are learned.
    more = {op: sunk[op] - plain[op] for op in sunk if sunk[op] != plain[op]}
    assert more == {Op.CMP: 10, Op.ADD: 20, Op.EXP: 10, Op.VECTOR_READ: 2}
