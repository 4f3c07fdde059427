"""The values that an event may have, and what an event of each kind costs."""

from __future__ import annotations

from enum import StrEnum

from hwmodels import Op


class Levels(StrEnum):
    """The values that an event operand may hold."""

    BINARY = "binary"  #: 0 or 1
    TERNARY = "ternary"  #: -1, 0 or 1
    BURST = "burst"  #: a whole number from -7 to 7: as many unit events in one time step
    COUNT = "count"  #: a whole number from -127 to 127: sums of spikes, counted as unit events
    POWER = "power"  #: 0 or a signed power of two: an event with a payload
    ANALOG = "analog"  #: anything: no events, every slot is multiplied

    @property
    def bits_per_slot(self) -> int:
        """Bits of one packed slot.

        A power of two needs its sign and 5 bits of exponent, of which one code says "no event";
        an analog slot is a 32-bit value.
        """
        return _BITS[self]

    @property
    def payload_bits(self) -> int:
        """Bits that an event carries beside its place: none where all events are alike."""
        return 0 if self is Levels.BINARY else _PAYLOADS.get(self, self.bits_per_slot)

    @property
    def in_units(self) -> bool:
        """Whether an entry of n stands for n events."""
        return self in (Levels.BURST, Levels.COUNT)

    @property
    def op(self) -> Op:
        """What one event does to one accumulator."""
        return _OPS.get(self, Op.AC)


_BITS = {
    Levels.BINARY: 1,
    Levels.TERNARY: 2,
    Levels.BURST: 4,
    Levels.COUNT: 8,
    Levels.POWER: 6,
    Levels.ANALOG: 32,
}
_PAYLOADS = {Levels.TERNARY: 1}  # its sign; in a packed slot the second bit says that it fires
_OPS = {Levels.POWER: Op.SHIFT_AC, Levels.ANALOG: Op.MAC}
