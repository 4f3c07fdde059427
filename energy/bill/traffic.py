"""Bytes that move: values and slots of spikes times the bits that a machine gives them."""

from __future__ import annotations

from math import ceil, log2

from energy.counts import LayerCount, Levels, Tally
from hwmodels import Encoding, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: Bits of a spike that is sent as an address: the events of the common address-event links.
ADDRESS_BITS = 32

#: Operations that move something, and those of them that move spikes.
MOVED = frozenset(op for op in Op if op.buffer is not None)
SPIKES = frozenset(op for op in MOVED if op.moves_spikes)
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
        self._arithmetic = profile.own_bits
        self._widths = {op: stated_bits or profile.width_bits(op) for op in moved}

    def of(self, row: LayerCount, op: Op) -> float:
        """Bits of what a traffic operation or delivery of a row moves.

        Those of a row itself count where they are fewer than those of the arithmetic, which takes
        what is wider as its own.
        """
        if op in SPIKES:
            if op in _CACHED:
                return (row.tally.levels or Levels.BINARY).bits_per_slot
            # As addresses, one for each event was counted.
            return (
                ADDRESS_BITS if self._as_addresses else encoded_bits(row.tally, self._encoding)[1]
            )
        own = None
        if op is Op.WEIGHT_READ:
            own = row.weight_bits
        elif op is Op.VECTOR_READ:
            own = row.vector_bits
        elif op is Op.DELIVERY:
            return self._stored(row)
        return self._widths[op] if own is None or own >= self._arithmetic else own

    def _stored(self, row: LayerCount) -> float:
        """Bits of the operand that is stored: a weight, or an entry of the cache."""
        ops = row.tally.ops
        if Op.KV_SPIKE_READ in ops and Op.KV_READ not in ops:
            return self.of(row, Op.KV_SPIKE_READ)
        return self.of(row, Op.KV_READ if Op.KV_READ in ops else Op.WEIGHT_READ)


def encoded_bits(tally: Tally, encoding: Encoding) -> tuple[Encoding, float]:
    """How the spikes of a tensor lie in memory, and the bits of each of its slots.

    Packed: the bits of a slot. Bitmap: 1, and the payload of each event. Addresses: for each event
    the place in its vector, ceil(log2(channels)) bits, and its payload. Where the table says no
    channels, a place needs as many bits as all slots do; where it says no slots, they are packed.
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
    if not tally.slots:
        encoding = Encoding.PACKED
    elif encoding is Encoding.CHEAPEST:
        encoding = min(bits, key=bits.__getitem__)
    return encoding, bits[encoding]
