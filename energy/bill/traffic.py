"""Bytes that move: values and slots of spikes times the bits that a machine gives them."""

from __future__ import annotations

import numpy as np

from energy.counts import Levels
from energy.counts.columns import LEVELS, Columns, Floats
from hwmodels import Encoding, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: Bits of a spike that is sent as an address: the events of the common address-event links.
ADDRESS_BITS = 32

#: Operations that move something, and those of them that move spikes.
MOVED = frozenset(op for op in Op if op.buffer is not None)
SPIKES = frozenset(op for op in MOVED if op.moves_spikes)
#: What is cached and analog: entries of keys and values, or of the states of recurrences.
_KEPT = (Op.KV_READ, Op.KV_WRITE)
#: Spikes in the cache are found by their place, so that they lie packed in every encoding.
_CACHED = (Op.KV_SPIKE_READ, Op.KV_SPIKE_WRITE)


class Bits:
    """Bits of one value, or slot of spikes, that a machine moves under a dataflow."""

    def __init__(
        self, profile: HardwareProfile, rules: Rules, stated_bits: float | None = None
    ) -> None:
        """`stated_bits` are those of every value of a table that counts bytes; None for none."""
        self._as_addresses = rules.spikes == "addresses"
        # Bytes that somebody counted are not encoded again.
        self._encoding = profile.encoding if stated_bits is None else Encoding.PACKED
        moved = (*MOVED, Op.DELIVERY)
        self._stated = stated_bits
        self._arithmetic = profile.own_bits
        self._widths = {op: stated_bits or profile.width_bits(op) for op in moved}

    def of(self, rows: Columns, op: Op) -> Floats | float:
        """Bits of what a traffic operation or delivery of each row moves.

        Those of a row itself count where they are fewer than those of the arithmetic, which takes
        what is wider as its own.
        """
        if op in SPIKES:
            if op in _CACHED:
                return packed_bits(rows)
            # As addresses, one for each event was counted.
            return ADDRESS_BITS if self._as_addresses else encoded_bits(rows, self._encoding)
        if op is Op.DELIVERY:
            return self._stored(rows)
        if op is Op.WEIGHT_READ:
            return self._own(rows.weight_bits, op)
        if op is Op.VECTOR_READ:
            return self._own(rows.vector_bits, op)
        if op in _KEPT and self._stated is None and (scans := rows.scans).any():
            return np.where(scans, self._widths[Op.STATE_READ], self._widths[op])
        return self._widths[op]

    def _own(self, bits: Floats, op: Op) -> Floats:
        return np.where(bits < self._arithmetic, bits, self._widths[op])  # NaN is not below

    def _stored(self, rows: Columns) -> Floats:
        """Bits of the operand that is stored: a weight, or an entry of the cache."""
        cached, spikes = rows.op(Op.KV_READ) > 0, rows.op(Op.KV_SPIKE_READ) > 0
        values = np.where(cached, self.of(rows, Op.KV_READ), self.of(rows, Op.WEIGHT_READ))
        return np.where(spikes & ~cached, self.of(rows, Op.KV_SPIKE_READ), values)


_SAID = [levels or Levels.BINARY for levels in LEVELS]
_BITS_PER_SLOT = np.array([levels.bits_per_slot for levels in _SAID], dtype=float)
_PAYLOAD_BITS = np.array([levels.payload_bits for levels in _SAID], dtype=float)


def packed_bits(rows: Columns) -> Floats:
    """Bits of each slot of the spikes of each row, silent or not."""
    return _BITS_PER_SLOT[rows.levels]


def encoded_bits(rows: Columns, encoding: Encoding) -> Floats:
    """Bits of each slot of the spikes of a tensor as they lie in memory, for each row.

    Packed: the bits of a slot. Bitmap: 1, and the payload of each event. Addresses: for each event
    the place in its vector, ceil(log2(channels)) bits, and its payload. Where the table says no
    channels, a place needs as many bits as all slots do; where it says no slots, they are packed.
    """
    channels = np.where(rows.channels > 0, rows.channels, rows.slots)
    rate = np.minimum(1.0, rows.spikes / np.maximum(1, rows.slots))
    place = np.maximum(1, np.ceil(np.log2(np.maximum(1, channels))))
    payload = _PAYLOAD_BITS[rows.levels]
    bits = {
        Encoding.PACKED: packed_bits(rows),
        Encoding.BITMAP: 1 + rate * payload,
        Encoding.ADDRESSES: rate * (place + payload),
    }
    cheapest = encoding is Encoding.CHEAPEST
    chosen: Floats = np.min(list(bits.values()), axis=0) if cheapest else bits[encoding]
    return np.where(rows.slots > 0, chosen, bits[Encoding.PACKED])
