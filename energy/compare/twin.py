"""The quantised twin: the analog network whose activations say no more than spikes do.

Yan, Bai, Tang and Wong (arXiv 2409.08290): integrate-and-fire neurons of T binary time steps
correspond to activations of b = ceil(log2(T + 1)) bits.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from energy.counts import Counts, Label, LayerCount, Levels, Tally
from hwmodels import HardwareProfile, Op


def activation_bits(timesteps: int, levels: Levels = Levels.BINARY) -> int:
    """Bits of an activation that holds what a neuron can say in `timesteps` time steps.

    Binary spikes have T + 1 sums: b = ceil(log2(T + 1)), as published. By the same rule signed
    spikes have 2 T + 1 sums and bursts of up to 7 have 14 T + 1, counts of up to
    127 254 T + 1. Of signed powers of two the bits
    that are sent, T times those of a slot, are an upper bound.
    """
    sums = {Levels.BINARY: 1, Levels.TERNARY: 2, Levels.BURST: 14, Levels.COUNT: 254}
    largest = sums.get(levels)
    if largest is None:
        return timesteps * levels.bits_per_slot
    return (largest * timesteps).bit_length()  # ceil(log2(n + 1)) of a whole n


def widest_levels(ssa: Counts) -> Levels | None:
    """What the events into linear layers may be; None where there are none, or nobody said."""
    rows = [x.tally for x in ssa.layers if x.tally.slots and x.tally.ops.get(Op.WEIGHT_READ)]
    known = [x.levels for x in rows if x.levels is not None]
    return max(known, key=lambda levels: levels.bits_per_slot, default=None)


def twin_counts(asa: Counts, ssa: Counts, profile: HardwareProfile, bits: int) -> Counts:
    """Counts of the quantised twin: narrow activations wherever the SNN is driven by events.

    A layer's counterpart has its label (block, component, depth). Each operand that is events
    there is narrow here: an input, a cached key or value, or both. A multiplier of b by w bits is
    b of the w rows of partial products of a w by w one, and its result is accumulated at full
    width:

        E(b) = E_AC + (E_MAC - E_AC) b / w,

    which is b / w of a MAC and 1 - b / w of an AC; so it is counted, rounded in favour of the MAC.
    With two narrow operands the share is (b / w)^2. Where an AC costs no less than a MAC, all
    stays MAC. A layer writes as many narrow values as it has results, which over a network is as
    many as are read. Requantisation costs nothing. w is 8 `value_bytes` of the profile, and b is
    `bits`; more than w is w.
    """
    driven: dict[Label, list[Tally]] = {}
    for row in ssa.layers:
        if row.tally.slots and row.tally.dense_macs and row.label.component:
            driven.setdefault(row.label, []).append(row.tally)
    mac, ac = profile.energy_pj(Op.MAC), profile.energy_pj(Op.AC)
    splits = mac is None or ac is None or ac < mac
    share = min(Fraction(1), bits / (8 * Fraction(profile.value_bytes)))
    return replace(
        asa,
        layers=tuple(
            _narrowed(row, Tally.total(driven[row.label]), share, splits=splits)
            if row.label in driven and row.tally.ops.get(Op.MAC)
            else row
            for row in asa.layers
        ),
    )


def _narrowed(row: LayerCount, spiking: Tally, share: Fraction, *, splits: bool) -> LayerCount:
    ops = dict(row.tally.ops)
    cached = share if spiking.ops.get(Op.KV_SPIKE_READ) else Fraction(1)
    # Spikformer's values stream into analog weights: there only the cached operand is events.
    inputs = share if spiking.ops.get(Op.SPIKE_READ) or cached == 1 else Fraction(1)
    for op, part in (
        (Op.ACTIVATION_READ, inputs),
        (Op.ACTIVATION_WRITE, share),
        (Op.KV_READ, cached),
        (Op.KV_WRITE, cached),
    ):
        ops[op] = _part(ops.get(op, 0), part)
    if splits:
        whole = _part(ops[Op.MAC], inputs * cached)
        ops[Op.AC] = ops.get(Op.AC, 0) + ops[Op.MAC] - whole
        ops[Op.MAC] = whole
    return row.with_ops(ops)


def _part(number: float, part: Fraction) -> int:
    """A part of a number, rounded up."""
    return int(-(-number * part.numerator // part.denominator))
