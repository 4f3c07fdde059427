from __future__ import annotations

import pytest

from energy import Attention, Tally, products
from hwmodels import Op

FULL, CAUSAL = Attention.FULL, Attention.CAUSAL


def arithmetic(tally: Tally) -> dict[Op, int]:
    return {op: n for op, n in tally.ops.items() if op.group != "memory" and n}


def traffic(tally: Tally) -> dict[Op, int]:
    return {op: n for op, n in tally.ops.items() if op.group == "memory" and n}


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_scores(attention: Attention, seen: int) -> None:
    # 4 heads on 2 key heads, 3 queries, 5 keys (causal: 3 + 4 + 5), width 8
    tally = products.scores(4, 3, 5, 8, 2, attention=attention, value_bytes=4)
    assert arithmetic(tally) == {Op.MAC: 4 * seen * 8}
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 384,  # 4 x 3 x 8 x 4 bytes of queries
        Op.ACTIVATION_WRITE: 4 * seen * 4,
        Op.KV_READ: 320,  # 2 x 5 x 8 x 4 bytes of keys
        Op.KV_WRITE: 192,  # 2 x 3 x 8 x 4 bytes of new keys
    }
    assert tally.dense_macs == 4 * seen * 8


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_mix(attention: Attention, seen: int) -> None:
    tally = products.mix(4, 3, 5, 8, 2, attention=attention, value_bytes=4)
    assert arithmetic(tally) == {Op.MAC: 4 * seen * 8}
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 4 * seen * 4,
        Op.ACTIVATION_WRITE: 384,  # 4 x 3 x 8 x 4 bytes
        Op.KV_READ: 320,
        Op.KV_WRITE: 192,
    }
    assert tally.dense_macs == 4 * seen * 8


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_event_scores(attention: Attention, seen: int) -> None:
    tally = products.event_scores(4, 3, 5, 8, 11, 55, attention=attention, value_bytes=4)
    assert arithmetic(tally) == {Op.AC: 55}
    assert traffic(tally) == {
        Op.SPIKE_READ: 12,  # 4 x 3 x 8 bits of queries
        Op.ACTIVATION_WRITE: 4 * seen * 4,
        Op.KV_SPIKE_READ: 20,  # 4 x 5 x 8 bits of keys
        Op.KV_SPIKE_WRITE: 12,  # 4 x 3 x 8 bits of new keys
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (4 * seen * 8, 11, 96)


@pytest.mark.parametrize(("attention", "seen"), [(FULL, 15), (CAUSAL, 12)])
def test_event_mix(attention: Attention, seen: int) -> None:
    tally = products.event_mix(4, 3, 5, 8, 11, 33, attention=attention, value_bytes=4)
    assert arithmetic(tally) == {Op.AC: 33}
    assert traffic(tally) == {
        Op.ACTIVATION_READ: 4 * seen * 4,
        Op.ACTIVATION_WRITE: 384,  # 4 x 3 x 8 x 4 bytes
        Op.KV_SPIKE_READ: 20,  # 4 x 5 x 8 bits of values
        Op.KV_SPIKE_WRITE: 12,
    }
    assert (tally.dense_macs, tally.spikes, tally.slots) == (4 * seen * 8, 11, 160)
