"""What the two products of attention cost, Q K^T and A V, analog and spiking, from shapes.

Keys and values come from the cache, to which the new tokens are appended.
"""

from __future__ import annotations

from typing import Literal

from energy.counts import Levels, Tally
from energy.formulas.conventions import Attention, packed_bytes, pairs
from hwmodels import Op


def scores(
    heads: int,
    queries: int,
    keys: int,
    width: int,
    kv_heads: int,
    *,
    attention: Attention,
    value_bytes: int,
) -> Tally:
    """Analog scores Q K^T: `heads` (over the batch) products, keys read from the cache."""
    pair_count = heads * pairs(queries, keys, attention)
    return Tally(
        {
            Op.MAC: pair_count * width,
            Op.ACTIVATION_READ: heads * queries * width * value_bytes,
            Op.ACTIVATION_WRITE: pair_count * value_bytes,
            Op.KV_READ: kv_heads * keys * width * value_bytes,
            Op.KV_WRITE: kv_heads * queries * width * value_bytes,
        },
        dense_macs=pair_count * width,
    )


def mix(
    heads: int,
    queries: int,
    keys: int,
    width: int,
    kv_heads: int,
    *,
    attention: Attention,
    value_bytes: int,
) -> Tally:
    """Analog mix A V: `heads` (over the batch) products, values read from the cache."""
    pair_count = heads * pairs(queries, keys, attention)
    return Tally(
        {
            Op.MAC: pair_count * width,
            Op.ACTIVATION_READ: pair_count * value_bytes,
            Op.ACTIVATION_WRITE: heads * queries * width * value_bytes,
            Op.KV_READ: kv_heads * keys * width * value_bytes,
            Op.KV_WRITE: kv_heads * queries * width * value_bytes,
        },
        dense_macs=pair_count * width,
    )


def event_attention(
    role: Literal["scores", "mix"],
    heads: int,
    queries: int,
    keys: int,
    width: int,
    *,
    left: Levels | None,
    right: Levels | None,
    events: int,
    slots: int,
    accumulates: int,
    attention: Attention,
    value_bytes: int,
    steps: int = 1,
    kv_heads: int | None = None,
) -> Tally:
    """A product of attention in which events of one operand stream over the other.

    Args:
        role: `scores` (Q K^T) or `mix` (A V).
        heads: Products side by side: heads x batch, x time steps where each has its own result.
        queries: New tokens.
        keys: Attended tokens.
        width: Width of a head.
        left: What the events of Q (or A) may be; None for an analog operand.
        right: What the events of K (or V), packed in the cache, may be; None for an analog one.
        events: Events of the streaming operand.
        slots: Its entries, time steps included.
        accumulates: Events times fan-out; see `accumulates.accumulates`.
        attention: Which query-key pairs are counted.
        value_bytes: Width of an analog value.
        steps: Time steps of the left operand that meet in the same accumulators.
        kv_heads: Cached heads; as many as `heads` unless stated.
    """
    seen = heads * pairs(queries, keys, attention)
    vectors = heads * queries * width  # Q, or the output
    read, written = (vectors, seen) if role == "scores" else (seen, vectors)
    kv_heads = heads if kv_heads is None else kv_heads
    cached, appended = kv_heads * keys * width, kv_heads * queries * width
    dense = steps * seen * width
    streaming = left if left is not None else right
    assert streaming is not None
    analog = streaming is Levels.ANALOG
    ops = {
        streaming.op: dense if analog else accumulates,
        Op.ACTIVATION_WRITE: written * value_bytes,
    }
    if left is None or analog:
        ops[Op.ACTIVATION_READ] = steps * read * value_bytes
    else:
        ops[Op.SPIKE_READ] = packed_bytes(steps * read, left.bits_per_slot)
    if right is None:
        ops[Op.KV_READ] = cached * value_bytes
        ops[Op.KV_WRITE] = appended * value_bytes
    else:
        ops[Op.KV_SPIKE_READ] = packed_bytes(cached, right.bits_per_slot)
        ops[Op.KV_SPIKE_WRITE] = packed_bytes(appended, right.bits_per_slot)
    return Tally(
        ops, dense_macs=dense, spikes=0 if analog else events, slots=0 if analog else slots
    )


def binary_scores(
    heads: int,
    queries: int,
    keys: int,
    width: int,
    events: int,
    accumulates: int,
    *,
    attention: Attention,
    value_bytes: int,
    kv_heads: int | None = None,
) -> Tally:
    """Spikformer's scores: binary Q streams over cached binary K; one Q spike meets each key."""
    return event_attention(
        "scores",
        heads,
        queries,
        keys,
        width,
        left=Levels.BINARY,
        right=Levels.BINARY,
        events=events,
        slots=heads * queries * width,
        accumulates=accumulates,
        attention=attention,
        value_bytes=value_bytes,
        kv_heads=kv_heads,
    )


def binary_mix(
    heads: int,
    queries: int,
    keys: int,
    width: int,
    events: int,
    accumulates: int,
    *,
    attention: Attention,
    value_bytes: int,
    kv_heads: int | None = None,
) -> Tally:
    """Spikformer's mix: cached binary V streams into integer weights A.

    One V spike of key `j` adds A[i, j] to the output of each query `i` that may see it, in each of
    the heads that share it.
    """
    return event_attention(
        "mix",
        heads,
        queries,
        keys,
        width,
        left=None,
        right=Levels.BINARY,
        events=events,
        slots=(heads if kv_heads is None else kv_heads) * keys * width,
        accumulates=accumulates,
        attention=attention,
        value_bytes=value_bytes,
        kv_heads=kv_heads,
    )
