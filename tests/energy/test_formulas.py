from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Attention, Tally, formulas
from energy.formulas import packed_bytes, pairs
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL


def arithmetic(tally: Tally) -> dict[Op, int]:
    return {op: n for op, n in tally.ops.items() if op.group != "memory" and n}


def traffic(tally: Tally) -> dict[Op, int]:
    return {op: n for op, n in tally.ops.items() if op.group == "memory" and n}


def test_pairs_of_a_square() -> None:
    assert pairs(4, 4, FULL) == 16
    assert pairs(4, 4, CAUSAL) == 10  # 1 + 2 + 3 + 4


def test_pairs_of_a_decoded_token_are_all_causal() -> None:
    assert pairs(1, 129, FULL) == pairs(1, 129, CAUSAL) == 129


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 40), st.integers(0, 40))
def test_causal_pairs_are_those_at_or_before_the_query(queries: int, past: int) -> None:
    keys = past + queries
    visible = sum(key <= past + query for query in range(queries) for key in range(keys))
    assert pairs(queries, keys, CAUSAL) == visible
    assert pairs(queries, keys, FULL) == queries * keys


@pytest.mark.parametrize(
    ("slots", "bits", "expected"), [(0, 1, 0), (8, 1, 1), (9, 1, 2), (4, 2, 1), (5, 2, 2)]
)
def test_packed_spikes_fill_whole_bytes(slots: int, bits: int, expected: int) -> None:
    assert packed_bytes(slots, bits) == expected


def test_linear() -> None:
    # 3 rows, 4 -> 5
    tally = formulas.linear(3, 4, 5, bias=True, value_bytes=4)
    assert arithmetic(tally) == {Op.MAC: 60}  # 3 x 4 x 5; the bias starts the accumulator
    assert traffic(tally) == {
        Op.WEIGHT_READ: 80,  # 4 x 5 x 4 bytes, once for all rows
        Op.VECTOR_READ: 20,  # 5 biases x 4 bytes
        Op.ACTIVATION_READ: 48,  # 3 x 4 x 4 bytes
        Op.ACTIVATION_WRITE: 60,  # 3 x 5 x 4 bytes
    }
    assert tally.dense_macs == 60
    assert tally.slots == 0


def test_a_bias_costs_a_read_and_no_mac() -> None:
    with_bias = formulas.linear(3, 4, 5, bias=True, value_bytes=2)
    without = formulas.linear(3, 4, 5, bias=False, value_bytes=2)
    assert arithmetic(with_bias) == arithmetic(without)
    assert traffic(with_bias) == traffic(without) | {Op.VECTOR_READ: 10}  # 5 x 2 bytes


def test_event_linear() -> None:
    # 2 steps x 3 rows of 4 slots, 7 events, fan-out 5, ternary
    tally = formulas.event_linear(6, 4, 5, 7, bias=True, bits_per_slot=2, value_bytes=4)
    assert arithmetic(tally) == {Op.AC: 35}  # 7 events x 5 channels
    assert traffic(tally) == {
        Op.WEIGHT_READ: 80,
        Op.VECTOR_READ: 20,
        Op.SPIKE_READ: 6,  # 24 slots x 2 bits
        Op.ACTIVATION_WRITE: 120,  # 6 x 5 x 4 bytes
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (120, 7, 24)


def test_matrix_product() -> None:
    tally = formulas.matrix_product(2, 3, 4, 5, value_bytes=4)
    assert arithmetic(tally) == {Op.MAC: 120}  # 2 x 3 x 4 x 5
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 256,  # 2 x (3 x 4 + 4 x 5) x 4 bytes
        Op.ACTIVATION_WRITE: 120,  # 2 x 3 x 5 x 4 bytes
    }
    assert tally.dense_macs == 120


def test_an_embedding_is_a_look_up() -> None:
    tally = formulas.embedding(3, 8, value_bytes=4)
    assert arithmetic(tally) == {}
    assert traffic(tally) == {Op.VECTOR_READ: 96, Op.ACTIVATION_WRITE: 96}  # 3 x 8 x 4 bytes
    assert tally.dense_macs == 0


def test_neurons() -> None:
    # 10 neurons x 4 steps, 7 spikes, a threshold for each of 5 channels
    tally = formulas.neurons(40, 7, 5, bits_per_slot=1, value_bytes=4)
    assert arithmetic(tally) == {Op.NEURON_UPDATE: 40, Op.SPIKE: 7}
    assert traffic(tally) == {
        Op.VECTOR_READ: 20,
        Op.ACTIVATION_READ: 160,
        Op.STATE_READ: 160,
        Op.STATE_WRITE: 160,
        Op.SPIKE_WRITE: 5,  # 40 bits
    }
    assert (tally.spikes, tally.slots, tally.dense_macs) == (7, 40, 0)


@pytest.mark.parametrize(
    ("stored_is_spikes", "reads"),
    [
        (True, {Op.SPIKE_READ: 3 + 5}),  # 24 and 40 bits
        (False, {Op.SPIKE_READ: 3, Op.ACTIVATION_READ: 160}),  # 24 bits, 40 values x 4 bytes
    ],
)
def test_event_product(stored_is_spikes: bool, reads: dict[Op, int]) -> None:
    tally = formulas.event_product(
        120,
        7,
        35,
        slots=24,
        stored=40,
        stored_is_spikes=stored_is_spikes,
        results=30,
        value_bytes=4,
    )
    assert arithmetic(tally) == {Op.AC: 35}
    assert traffic(tally) == reads | {Op.ACTIVATION_WRITE: 120}
    assert (tally.dense_macs, tally.spikes, tally.slots) == (120, 7, 24)
