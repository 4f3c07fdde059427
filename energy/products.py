"""What the two products of attention cost, Q K^T and A V, analog and spiking, from shapes.

Keys and values come from the cache, to which the new tokens are appended.
"""

from __future__ import annotations

from typing import Literal

from energy.counts import Tally
from energy.formulas import Attention, packed_bytes, pairs
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
    left_is_spikes: bool,
    right_is_spikes: bool,
    events: int,
    slots: int,
    accumulates: int,
    attention: Attention,
    value_bytes: int,
) -> Tally:
    """A product of attention in which binary events of one operand stream over the other.

    Args:
        role: `scores` (Q K^T) or `mix` (A V).
        heads: Products side by side: heads x batch x time steps.
        queries: New tokens.
        keys: Attended tokens.
        width: Width of a head.
        left_is_spikes: Whether Q (or A) is packed spikes.
        right_is_spikes: Whether K (or V) is packed spikes in the cache.
        events: Events of the streaming operand.
        slots: Its entries.
        accumulates: Events times fan-out; see `tally._accumulates`.
        attention: Which query-key pairs are counted.
        value_bytes: Width of an analog value.
    """
    seen = heads * pairs(queries, keys, attention)
    vectors = heads * queries * width  # Q, or the output
    read, written = (vectors, seen) if role == "scores" else (seen, vectors)
    cached, appended = heads * keys * width, vectors
    ops = {Op.AC: accumulates, Op.ACTIVATION_WRITE: written * value_bytes}
    if left_is_spikes:
        ops[Op.SPIKE_READ] = packed_bytes(read, 1)
    else:
        ops[Op.ACTIVATION_READ] = read * value_bytes
    if right_is_spikes:
        ops[Op.KV_SPIKE_READ] = packed_bytes(cached, 1)
        ops[Op.KV_SPIKE_WRITE] = packed_bytes(appended, 1)
    else:
        ops[Op.KV_READ] = cached * value_bytes
        ops[Op.KV_WRITE] = appended * value_bytes
    return Tally(ops, dense_macs=seen * width, spikes=events, slots=slots)


def event_scores(
    heads: int,
    queries: int,
    keys: int,
    width: int,
    events: int,
    accumulates: int,
    *,
    attention: Attention,
    value_bytes: int,
) -> Tally:
    """Spiking scores: binary Q streams over cached binary K; one Q spike meets each key."""
    return event_attention(
        "scores",
        heads,
        queries,
        keys,
        width,
        left_is_spikes=True,
        right_is_spikes=True,
        events=events,
        slots=heads * queries * width,
        accumulates=accumulates,
        attention=attention,
        value_bytes=value_bytes,
    )


def event_mix(
    heads: int,
    queries: int,
    keys: int,
    width: int,
    events: int,
    accumulates: int,
    *,
    attention: Attention,
    value_bytes: int,
) -> Tally:
    """Spiking mix: cached binary V streams into integer weights A.

    One V spike of key `j` adds A[i, j] to the output of each query `i` that may see it.
    """
    return event_attention(
        "mix",
        heads,
        queries,
        keys,
        width,
        left_is_spikes=False,
        right_is_spikes=True,
        events=events,
        slots=heads * keys * width,
        accumulates=accumulates,
        attention=attention,
        value_bytes=value_bytes,
    )
