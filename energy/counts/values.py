"""Bytes of tables that count them, as values and slots of spikes."""

from __future__ import annotations

from collections.abc import Mapping

from energy.counts.layer import Tally
from energy.counts.levels import Levels
from hwmodels import Op


def in_values(tally: Tally, moved: Mapping[Op, float], value_bytes: int | None) -> Tally:
    """A tally with the values, and the slots of spikes, that so many bytes hold.

    Args:
        tally: The rest of the row.
        moved: Bytes by operation.
        value_bytes: Width of a value; None where nobody said: then a byte counts as a value of 8
            bits, and spikes lie packed in whatever bytes they take.
    """
    levels = tally.levels
    if value_bytes and levels is None and tally.slots:
        levels = _levels(8 * moved.get(Op.SPIKE_READ, moved.get(Op.SPIKE_WRITE, 0)) / tally.slots)
    bits = levels.bits_per_slot if levels and value_bytes else 1
    ops = {
        op: number * 8 / bits if op.moves_spikes else number / (value_bytes or 1)
        for op, number in moved.items()
    }
    whole = {op: int(n) if float(n).is_integer() else n for op, n in ops.items() if n}
    return tally._replace(ops={**tally.ops, **whole}, levels=levels)


def _levels(bits: float) -> Levels | None:
    """What spikes may be that take so many bits of a slot; packed bytes are rounded up."""
    known = [x for x in _PACKED if bits > x.bits_per_slot - 0.5]
    return max(known, key=lambda x: x.bits_per_slot, default=None)


#: What tables in bytes may hold: those that count bytes are older than counts of spikes.
_PACKED = (Levels.BINARY, Levels.TERNARY, Levels.BURST, Levels.POWER)
