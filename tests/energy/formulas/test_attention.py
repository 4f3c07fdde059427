from __future__ import annotations

from typing import Any

import pytest
from builders import arithmetic, traffic

from energy import Attention, Levels
from energy.formulas.attention import (
    Events,
    Product,
    analog_attention,
    event_attention,
    spikformer,
)
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_scores(attention: Attention, seen: int) -> None:
    # 4 heads on 2 key heads, 3 queries, 5 keys (causal: 3 + 4 + 5), width 8
    tally = analog_attention("scores", Product(4, 3, 5, 8, 2, attention))
    assert arithmetic(tally) == {Op.MAC: 4 * seen * 8}
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 96,  # 4 x 3 x 8 of queries
        Op.ACTIVATION_WRITE: 4 * seen,
        Op.KV_READ: 80,  # 2 x 5 x 8 of keys
        Op.KV_WRITE: 48,  # 2 x 3 x 8 of new keys
    }
    assert tally.dense_macs == 4 * seen * 8


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_mix(attention: Attention, seen: int) -> None:
    tally = analog_attention("mix", Product(4, 3, 5, 8, 2, attention))
    assert arithmetic(tally) == {Op.MAC: 4 * seen * 8}
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 4 * seen,
        Op.ACTIVATION_WRITE: 96,  # 4 x 3 x 8
        Op.KV_READ: 80,
        Op.KV_WRITE: 48,
    }
    assert tally.dense_macs == 4 * seen * 8


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_binary_scores(attention: Attention, seen: int) -> None:
    tally = spikformer("scores", Product(4, 3, 5, 8, 4, attention), 11, 55)
    assert arithmetic(tally) == {Op.AC: 55}
    assert traffic(tally) == {
        Op.SPIKE_READ: 96,  # 4 x 3 x 8 slots of queries
        Op.ACTIVATION_WRITE: 4 * seen,
        Op.KV_SPIKE_READ: 160,  # 4 x 5 x 8 slots of keys
        Op.KV_SPIKE_WRITE: 96,  # 4 x 3 x 8 slots of new keys
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (4 * seen * 8, 11, 96)


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_binary_mix(attention: Attention, seen: int) -> None:
    tally = spikformer("mix", Product(4, 3, 5, 8, 4, attention), 11, 33)
    assert arithmetic(tally) == {Op.AC: 33}
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 4 * seen,
        Op.ACTIVATION_WRITE: 96,  # 4 x 3 x 8
        Op.KV_SPIKE_READ: 160,  # 4 x 5 x 8 slots of values
        Op.KV_SPIKE_WRITE: 96,
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (4 * seen * 8, 11, 160)


def test_spikes_of_cached_heads_that_are_shared() -> None:
    # 4 heads on 2 cached ones: slots and events of V are of those two, results of all four.
    product = Product(4, 3, 5, 8, 2, FULL)
    scores, mix = spikformer("scores", product, 11, 55), spikformer("mix", product, 11, 66)
    for tally in (scores, mix):
        assert tally.ops[Op.KV_SPIKE_READ] == 80  # 2 x 5 x 8 slots
        assert tally.ops[Op.KV_SPIKE_WRITE] == 48  # 2 x 3 x 8 slots
        assert tally.dense_macs == 4 * 15 * 8
    assert (scores.slots, scores.ops[Op.SPIKE_READ]) == (96, 96)  # 4 x 3 x 8 of Q
    assert (mix.slots, mix.ops[Op.ACTIVATION_WRITE]) == (80, 96)  # 2 x 5 x 8 of V, 4 x 3 x 8


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
@pytest.mark.parametrize("role", ["scores", "mix"])
def test_event_attention_over_steps_that_meet_in_the_same_accumulators(
    role: Any, attention: Attention, seen: int
) -> None:
    # 2 steps of 4 heads on 2 key heads, 3 queries, 5 keys, width 8, powers of two on the left
    product, events = Product(4, 3, 5, 8, 2, attention), Events(11, 192, 55)
    tally = event_attention(role, product, events, left=Levels.POWER, right=None, steps=2)
    read, written = (96, 4 * seen) if role == "scores" else (4 * seen, 96)
    assert arithmetic(tally) == {Op.SHIFT_AC: 55}
    assert traffic(tally) == {
        Op.SPIKE_READ: 2 * read,  # each slot of each step
        Op.ACTIVATION_WRITE: written,
        Op.KV_READ: 80,  # 2 x 5 x 8, once
        Op.KV_WRITE: 48,
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (2 * 4 * seen * 8, 11, 192)


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_analog_events_multiply_every_pair_in_each_step(attention: Attention, seen: int) -> None:
    product, events = Product(4, 3, 5, 8, 4, attention), Events(99, 192, 77)
    tally = event_attention("scores", product, events, left=Levels.ANALOG, right=None, steps=2)
    assert arithmetic(tally) == {Op.MAC: 2 * 4 * seen * 8}
    assert tally.ops[Op.ACTIVATION_READ] == 192  # 2 steps x 4 x 3 x 8
    assert Op.SPIKE_READ not in tally.ops
    assert (tally.dense_macs, tally.spikes, tally.slots) == (2 * 4 * seen * 8, 0, 0)
