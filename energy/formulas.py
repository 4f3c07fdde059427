"""What each kind of layer costs, as pure functions of shapes and spike counts.

The meter calls these with the shapes of real tensors, the plan with shapes from a configuration;
so both speak of the same thing, and a test can compare either with a closed form.

Conventions:

* A MAC is one multiply-accumulate of a matrix product. A bias starts the accumulator, so `K`
  products and a bias are exactly `K` MACs.
* An AC is one event added to one accumulator: events times fan-out.
* Each operand is read once per call and each result written once, whatever the caches do.
* `value_bytes` is the width of an analog value; a binary slot packs into one bit, a ternary slot
  into two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from energy.counts import Tally
from hwmodels import Op


class Attention(StrEnum):
    """Which query-key pairs of a causal attention are counted."""

    FULL = "full"  #: all pairs, as fvcore and torch count
    CAUSAL = "causal"  #: only keys at or before the query: what a masked kernel must do


@dataclass(frozen=True)
class Conventions:
    """Choices that change a count; printed with every report.

    Attributes:
        attention: Which query-key pairs are counted.
        coincidences: In a product with a spike operand, count only the events that meet a
            non-zero on the other side, instead of every event of the streaming operand.
    """

    attention: Attention = Attention.FULL
    coincidences: bool = False


def packed_bytes(slots: int, bits_per_slot: int) -> int:
    """Bytes of `slots` packed spikes, rounded up."""
    return -(-slots * bits_per_slot // 8)


def pairs(queries: int, keys: int, attention: Attention) -> int:
    """Query-key pairs of one head; query `i` of `q` is token `keys - queries + i`.

    Causal: sum over queries of (keys - queries + i + 1) = q k - q (q - 1) / 2.
    """
    if attention is Attention.FULL:
        return queries * keys
    return queries * keys - queries * (queries - 1) // 2


def linear(rows: int, fan_in: int, fan_out: int, *, bias: bool, value_bytes: int) -> Tally:
    """A dense layer applied to `rows` vectors."""
    macs = rows * fan_in * fan_out
    return Tally(
        {
            Op.MAC: macs,
            Op.WEIGHT_READ: fan_in * fan_out * value_bytes,
            Op.VECTOR_READ: fan_out * value_bytes if bias else 0,
            Op.ACTIVATION_READ: rows * fan_in * value_bytes,
            Op.ACTIVATION_WRITE: rows * fan_out * value_bytes,
        },
        dense_macs=macs,
    )


def event_linear(
    rows: int,
    fan_in: int,
    fan_out: int,
    events: int,
    *,
    bias: bool,
    bits_per_slot: int,
    value_bytes: int,
) -> Tally:
    """A layer fed by spikes: `events` of the `rows x fan_in` slots reach `fan_out` accumulators.

    `rows` includes the time steps. The scale of an event belongs to the weight (or to the reader
    of the accumulator), so an event costs an addition.
    """
    slots = rows * fan_in
    return Tally(
        {
            Op.AC: events * fan_out,
            Op.WEIGHT_READ: fan_in * fan_out * value_bytes,
            Op.VECTOR_READ: fan_out * value_bytes if bias else 0,
            Op.SPIKE_READ: packed_bytes(slots, bits_per_slot),
            Op.ACTIVATION_WRITE: rows * fan_out * value_bytes,
        },
        dense_macs=rows * fan_in * fan_out,
        spikes=events,
        slots=slots,
    )


def matrix_product(batch: int, left: int, inner: int, right: int, *, value_bytes: int) -> Tally:
    """`batch` dense products (left x inner) @ (inner x right) of two computed operands."""
    macs = batch * left * inner * right
    return Tally(
        {
            Op.MAC: macs,
            Op.ACTIVATION_READ: batch * (left + right) * inner * value_bytes,
            Op.ACTIVATION_WRITE: batch * left * right * value_bytes,
        },
        dense_macs=macs,
    )


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


def embedding(rows: int, width: int, *, value_bytes: int) -> Tally:
    """A look-up of `rows` vectors: traffic, no arithmetic."""
    return Tally(
        {
            Op.VECTOR_READ: rows * width * value_bytes,
            Op.ACTIVATION_WRITE: rows * width * value_bytes,
        },
    )


def neurons(
    updates: int, spikes: int, channels: int, *, bits_per_slot: int, value_bytes: int
) -> Tally:
    """Spiking neurons: `updates` = neurons x time steps, each with a threshold per channel."""
    return Tally(
        {
            Op.NEURON_UPDATE: updates,
            Op.SPIKE: spikes,
            Op.VECTOR_READ: channels * value_bytes,
            Op.ACTIVATION_READ: updates * value_bytes,
            Op.STATE_READ: updates * value_bytes,
            Op.STATE_WRITE: updates * value_bytes,
            Op.SPIKE_WRITE: packed_bytes(updates, bits_per_slot),
        },
        spikes=spikes,
        slots=updates,
    )


def event_product(
    dense_macs: int,
    events: int,
    accumulates: int,
    *,
    slots: int,
    stored: int,
    stored_is_spikes: bool,
    results: int,
    value_bytes: int,
) -> Tally:
    """A product of a streaming binary operand with a stored one, without a mask."""
    stored_bytes = packed_bytes(stored, 1) if stored_is_spikes else stored * value_bytes
    return Tally(
        {
            Op.AC: accumulates,
            Op.SPIKE_READ: packed_bytes(slots, 1) + (stored_bytes if stored_is_spikes else 0),
            Op.ACTIVATION_READ: 0 if stored_is_spikes else stored_bytes,
            Op.ACTIVATION_WRITE: results * value_bytes,
        },
        dense_macs=dense_macs,
        spikes=events,
        slots=slots,
    )
