"""Bills of networks with quantised weights, round to nearest: W8A8 and W4A16.

Scales and zero points move with the weights they belong to. Requantisation costs nothing, in favour
of the network that is quantised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from energy.counts import Counts, LayerCount
from hwmodels import HardwareProfile, Op

#: Inputs that share a scale and a zero point, in weights of 4 bits.
GROUP = 128
#: Bits of a scale, in either.
SCALE_BITS = 16


def _inputs(row: LayerCount) -> float:
    """Inputs of a linear layer: each of them meets a weight of every output."""
    tally = row.tally
    outputs = tally.dense_macs / (tally.slots or tally.ops[Op.ACTIVATION_READ])
    return tally.ops[Op.WEIGHT_READ] / max(1, row.calls) / outputs


def w8_bits(row: LayerCount) -> float:
    """Bits of a weight with its share of the scale of an output."""
    return 8 + SCALE_BITS / _inputs(row)


def w4_bits(row: LayerCount) -> float:
    """Bits of a weight with its share of scale and 4-bit zero point: 4.15625 in full groups."""
    inputs = _inputs(row)
    return 4 + (SCALE_BITS + 4) * ceil(inputs / GROUP) / inputs


def w8a8(counts: Counts, int8: HardwareProfile) -> tuple[Counts, HardwareProfile]:
    """Counts and machine of a network with weights of 8 bits on INT8 arithmetic.

    All of its arithmetic is INT8, products of attention too, though these are measured as they
    were: in favour of the quantised network. A scale is read in each call as 16 bits beside the
    biases. Of a spiking network the weights alone are quantised.
    """
    machine = _as_wide_as_itself(int8)

    def scaled(row: LayerCount) -> LayerCount:
        own = row.vector_bits
        bits = own if own and own < machine.own_bits else machine.width_bits(Op.VECTOR_READ)
        scales = ceil(row.tally.ops[Op.WEIGHT_READ] / _inputs(row) * SCALE_BITS / bits)
        ops = dict(row.tally.ops)
        return row.with_ops({**ops, Op.VECTOR_READ: ops.get(Op.VECTOR_READ, 0) + scales})

    return _linear(counts, lambda row: replace(scaled(row), weight_bits=8.0)), machine


def w4a16(counts: Counts, profile: HardwareProfile) -> tuple[Counts, HardwareProfile]:
    """Counts and machine of a network with weights of 4 bits in groups, and nothing else."""
    machine = _as_wide_as_itself(profile)
    return _linear(counts, lambda row: replace(row, weight_bits=w4_bits(row))), machine


def _linear(counts: Counts, change: Callable[[LayerCount], LayerCount]) -> Counts:
    """Counts with every row changed that has a weight matrix."""
    rows = (change(x) if x.tally.ops.get(Op.WEIGHT_READ) else x for x in counts.layers)
    return replace(counts, layers=tuple(rows))


def _as_wide_as_itself(profile: HardwareProfile) -> HardwareProfile:
    """The machine without widths of its own for what the baseline has widths of."""
    widths = profile.widths.model_copy(update={"weights": None, "activations": None})
    return profile.model_copy(update={"widths": widths})
