"""Bytes that move: values and slots of spikes times the bits that a machine gives them."""

from __future__ import annotations

from math import ceil, log2

from energy.bill.execution import ADDRESS_BITS
from energy.counts import LayerCount, Levels, Tally
from hwmodels import Encoding, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: Spikes in the cache are found by their place, so that they lie packed in every encoding.
_CACHED = (Op.KV_SPIKE_READ, Op.KV_SPIKE_WRITE)


def bits_of(row: LayerCount, op: Op, profile: HardwareProfile, rules: Rules) -> float:
    """Bits of one value, or slot of spikes, that a traffic operation or delivery of a row moves."""
    levels = row.tally.levels or Levels.BINARY
    if op is Op.DELIVERY:
        return _stored_bits(row, profile)
    if not op.moves_spikes:
        own = row.weight_bits if op is Op.WEIGHT_READ else row.vector_bits
        named = own if op in (Op.WEIGHT_READ, Op.VECTOR_READ) else None
        return profile.width_bits(op) if named is None else named
    if op in _CACHED:
        return levels.bits_per_slot
    if rules.spikes == "addresses":  # one address for each event, whose number was counted
        return ADDRESS_BITS
    return encoded_bits(row.tally, profile.encoding)[1]


def _stored_bits(row: LayerCount, profile: HardwareProfile) -> float:
    """Bits of the operand that is stored: a weight, or an entry of the cache."""
    ops = row.tally.ops
    if Op.WEIGHT_READ in ops:
        return profile.width_bits(Op.WEIGHT_READ) if row.weight_bits is None else row.weight_bits
    if Op.KV_SPIKE_READ in ops and Op.KV_READ not in ops:
        return (row.tally.levels or Levels.BINARY).bits_per_slot
    return profile.width_bits(Op.KV_READ)


def encoded_bits(tally: Tally, encoding: Encoding) -> tuple[Encoding, float]:
    """How the spikes of a tensor lie in memory, and the bits of each of its slots.

    Packed: the bits of a slot. Bitmap: 1, and the payload of each event. Addresses: for each event
    the place in its vector, ceil(log2(channels)) bits, and its payload. Where the table says no
    channels, a place needs as many bits as all slots do.
    """
    levels = tally.levels or Levels.BINARY
    slots, channels = max(1, tally.slots), tally.channels or tally.slots
    rate = min(1.0, tally.spikes / slots)
    place = ceil(log2(channels)) if channels > 1 else 1
    bits = {
        Encoding.PACKED: float(levels.bits_per_slot),
        Encoding.BITMAP: 1 + rate * levels.payload_bits,
        Encoding.ADDRESSES: rate * (place + levels.payload_bits),
    }
    if encoding is Encoding.CHEAPEST:
        encoding = min(bits, key=bits.__getitem__)
    return encoding, bits[encoding]
