from __future__ import annotations

import pytest
from builders import arithmetic, traffic
from hypothesis import given, settings
from hypothesis import strategies as st

from energy import Attention, Levels, formulas
from energy.formulas import pairs
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL

#: What events touch, where nobody looked.
_NOT_LOOKED = (None, None, None)


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


def test_linear() -> None:
    # 3 rows, 4 -> 5
    tally = formulas.linear(3, 4, 5, bias=True)
    assert arithmetic(tally) == {Op.MAC: 60}  # 3 x 4 x 5; the bias starts the accumulator
    assert traffic(tally) == {
        Op.WEIGHT_READ: 20,  # 4 x 5, once for all rows
        Op.VECTOR_READ: 5,  # 5 biases
        Op.ACTIVATION_READ: 12,  # 3 x 4
        Op.ACTIVATION_WRITE: 15,  # 3 x 5
    }
    assert tally.dense_macs == 60
    assert tally.slots == 0


def test_a_bias_costs_a_read_and_no_mac() -> None:
    with_bias = formulas.linear(3, 4, 5, bias=True)
    without = formulas.linear(3, 4, 5, bias=False)
    assert arithmetic(with_bias) == arithmetic(without)
    assert traffic(with_bias) == traffic(without) | {Op.VECTOR_READ: 5}  # 5


def test_event_linear() -> None:
    # 2 steps x 3 rows of 4 slots, 7 events, fan-out 5, ternary
    tally = formulas.event_linear(6, 4, 5, 7, bias=True, levels=Levels.TERNARY)
    assert arithmetic(tally) == {Op.AC: 35}  # 7 events x 5 channels
    assert traffic(tally) == {
        Op.WEIGHT_READ: 20,
        Op.VECTOR_READ: 5,
        Op.SPIKE_READ: 24,  # slots: 6 x 4
        Op.ACTIVATION_WRITE: 30,  # 6 x 5
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (120, 7, 24)


@pytest.mark.parametrize(
    ("levels", "op", "bits"),
    [
        (Levels.BINARY, Op.AC, 1),
        (Levels.TERNARY, Op.AC, 2),
        (Levels.BURST, Op.AC, 4),
        (Levels.POWER, Op.SHIFT_AC, 6),
    ],
)
def test_the_levels_of_an_event_decide_its_operation_and_its_bits(
    levels: Levels, op: Op, bits: int
) -> None:
    tally = formulas.event_linear(6, 4, 5, 7, bias=True, levels=levels)
    assert arithmetic(tally) == {op: 35}
    assert tally.ops[Op.SPIKE_READ] == 24  # 6 x 4 slots, whatever they hold
    assert (tally.levels, levels.bits_per_slot, tally.channels) == (levels, bits, 4)


def test_steps_that_meet_in_the_same_accumulators_write_one_result() -> None:
    apart, together = (
        formulas.event_linear(6, 4, 5, 7, bias=True, levels=Levels.TERNARY, steps=steps)
        for steps in (1, 3)
    )
    # 6 rows are 3 steps of 2: 2 x 5 results in place of 6 x 5
    assert traffic(together) == traffic(apart) | {Op.ACTIVATION_WRITE: 10}
    assert arithmetic(together) == arithmetic(apart)
    assert together[1:] == apart[1:] == (120, 7, 24, None, Levels.TERNARY, 4, *_NOT_LOOKED)


def test_analog_events_are_a_dense_layer_in_each_step() -> None:
    # 3 steps of 2 rows, whatever `events` says
    tally = formulas.event_linear(6, 4, 5, 99, bias=True, levels=Levels.ANALOG, steps=3)
    assert arithmetic(tally) == {Op.MAC: 120}  # 6 x 4 x 5
    assert traffic(tally) == {
        Op.WEIGHT_READ: 20,
        Op.VECTOR_READ: 5,
        Op.ACTIVATION_READ: 24,  # 6 x 4
        Op.ACTIVATION_WRITE: 10,  # 2 x 5
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (120, 0, 0)


def test_matrix_product() -> None:
    tally = formulas.matrix_product(2, 3, 4, 5)
    assert arithmetic(tally) == {Op.MAC: 120}  # 2 x 3 x 4 x 5
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 64,  # 2 x (3 x 4 + 4 x 5)
        Op.ACTIVATION_WRITE: 30,  # 2 x 3 x 5
    }
    assert tally.dense_macs == 120


def test_an_embedding_is_a_look_up() -> None:
    tally = formulas.embedding(3, 8)
    assert arithmetic(tally) == {}
    assert traffic(tally) == {Op.VECTOR_READ: 24, Op.ACTIVATION_WRITE: 24}  # 3 x 8
    assert tally.dense_macs == 0


LIF = {Op.NEURON_ADD: 120, Op.NEURON_MUL: 40, Op.NEURON_CMP: 40}


def test_neurons() -> None:
    # 10 neurons x 4 steps, 7 spikes, a threshold for each of 5 channels
    tally = formulas.neurons(40, 7, 5, inputs=10, levels=Levels.BINARY, vector=5, arithmetic=LIF)
    assert arithmetic(tally) == {Op.NEURON_UPDATE: 40, Op.SPIKE: 7} | LIF
    assert traffic(tally) == {
        Op.VECTOR_READ: 5,
        Op.ACTIVATION_READ: 10,  # the same 10 values in each step
        Op.STATE_READ: 40,
        Op.STATE_WRITE: 40,
        Op.SPIKE_WRITE: 40,  # slots
    }
    assert (tally.spikes, tally.slots, tally.dense_macs) == (7, 40, 0)


@pytest.mark.parametrize("levels", [Levels.TERNARY, Levels.BURST, Levels.POWER])
def test_neurons_say_what_their_events_are(levels: Levels) -> None:
    tally = formulas.neurons(40, 7, 5, inputs=10, levels=levels, vector=10, arithmetic={})
    assert (tally.levels, tally.channels) == (levels, 10)
    assert tally.ops[Op.SPIKE_WRITE] == 40
    assert (tally.ops[Op.NEURON_UPDATE], tally.ops[Op.SPIKE]) == (40, 7)


@pytest.mark.parametrize(
    ("stored_is_spikes", "reads"),
    [
        (True, {Op.SPIKE_READ: 24 + 40}),  # slots of both
        (False, {Op.SPIKE_READ: 24, Op.ACTIVATION_READ: 40}),  # 24 slots, 40 values
    ],
)
def test_event_product(stored_is_spikes: bool, reads: dict[Op, int]) -> None:
    for levels, op in ((Levels.BINARY, Op.AC), (Levels.POWER, Op.SHIFT_AC)):
        tally = formulas.event_product(
            120,
            7,
            35,
            slots=24,
            stored=40,
            stored_is_spikes=stored_is_spikes,
            results=30,
            levels=levels,
            channels=4,
        )
        assert arithmetic(tally) == {op: 35}
        assert tally[1:] == (120, 7, 24, None, levels, 4, *_NOT_LOOKED)
        assert traffic(tally) == reads | {Op.ACTIVATION_WRITE: 30}
