"""What is read again because it does not fit on the chip: operands of products, block by block."""

from __future__ import annotations

import numpy as np

from energy.bill.fusion import CACHED
from energy.bill.layer import COMPUTE
from energy.bill.traffic import Bits, packed_bits
from energy.counts import Counts
from energy.counts.columns import Columns, Floats, Ints
from hwmodels import Buffer, HardwareProfile, Op

_INPUTS = (Op.ACTIVATION_READ, Op.SPIKE_READ)


def read_again(
    rows: Columns, profile: HardwareProfile, bits: Bits, steps: Floats | int = 1
) -> dict[Op, Floats]:
    """How often the operands of a product with weights are read, where neither fits on the chip.

    The smaller one lies on the chip strip by strip, and the larger one passes once for each strip:
    size of the smaller / room times, a whole strip or not, so that no byte more is a cliff. With
    A (M x K), B (K x N) and room S this is no less than Hong and Kung's 2 M N K / sqrt(S) - 2 S:
    M K + M N + K N (M K / S) = M N K (1 / N + 1 / K + K / S), and 1 / K + K / S >= 2 / sqrt(S).

    Args:
        rows: As counted.
        profile: The machine.
        bits: Of its values.
        steps: Time steps that are worked on one after the other.

    Returns:
        Times for each row, of each operation that some row repeats.
    """
    room, stored = _room_bytes(profile), rows.op(Op.WEIGHT_READ)
    products = (rows.op(*COMPUTE) > 0) & (stored > 0)
    if room is None or not products.any():
        return {}
    calls = np.maximum(1, rows.calls)
    weights = stored / calls * bits.of(rows, Op.WEIGHT_READ) / 8
    inputs = sum(rows.op(op) / calls / steps * bits.of(rows, op) / 8 for op in _INPUTS)
    times = np.where(products, np.maximum(1, np.minimum(weights, inputs) / room), 1)
    smaller = weights <= inputs
    again = dict.fromkeys(_INPUTS, np.where(smaller, times, 1))
    return again | {Op.WEIGHT_READ: np.where(smaller, 1, times)}


def query_blocks(counts: Counts, profile: HardwareProfile) -> Floats:
    """How often a pass reads the keys or values of the products of attention; 1 in other rows.

    A quarter of the room on the chip holds a block of queries of one head, and of one time step
    where they are spikes, as in algorithm 1 of FlashAttention; a whole block or not, as in
    `read_again`. The block that has met the keys meets the values. Causal: a block sees the keys up
    to its own end. More than 1 + 2 queries / channels of a head would move more than scores that
    are written and read twice over, so no compiler makes more.

    Args:
        counts: A pass, as counted.
        profile: The machine.
    """
    rows, room = counts.columns, _room_bytes(profile)
    cached = rows.op(*CACHED) > 0
    if room is None or not cached.any():
        return np.ones(len(rows))
    reader = _first_scores(rows)  # the row that reads the queries
    calls = np.maximum(1, rows.calls)[reader]
    queries = counts.tokens / (calls * max(1, counts.batch))
    spiking = rows.slots[reader] > 0
    # A score is the sum of as many products: in each time step a score of its own, where keys are
    # spikes, or one of all time steps.
    summed = spiking & (rows.op(Op.KV_SPIKE_READ)[reader] == 0)
    scores = np.maximum(1, rows.op(Op.ACTIVATION_WRITE)[reader])
    scores *= np.where(summed, max(1, counts.timesteps), 1)
    channels = np.maximum(1, rows.dense_macs[reader] / scores)
    width = np.where(spiking, packed_bits(rows)[reader], profile.width_bits(Op.ACTIVATION_READ)) / 8
    blocks = np.maximum(1, 4 * queries * channels * width / room)
    blocks = np.minimum(blocks, 1 + 2 * queries / channels)
    times = (blocks + 1) / 2 if counts.attention == "causal" else blocks
    return np.where(cached & (queries > 1), times, 1.0)


def _first_scores(rows: Columns) -> Ints:
    """For each row the first product of scores in its block and depth; itself where none is."""
    scores = np.flatnonzero(rows.component("scores"))[::-1]
    first = np.full(int(rows.part.max(initial=0)) + 1, -1)
    first[rows.part[scores]] = scores
    found = first[rows.part]
    return np.where(found < 0, np.arange(len(rows)), found)


def _room_bytes(profile: HardwareProfile) -> int | None:
    """Bytes on the chip: of all levels of activations but the last, or of the only one.

    An operand of a product is kept in any of them so that the other one need not pass again: a
    scratchpad beside the multipliers does not take away the buffer behind it. None where one of
    them has no limit.
    """
    names = profile.placement.get(Buffer.ACTIVATIONS, ())
    sizes = [profile.memory[name].capacity_bytes for name in names[:-1] or names]
    limited = [size for size in sizes if size is not None]
    return sum(limited) if sizes and len(limited) == len(sizes) else None
