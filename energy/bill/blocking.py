"""What is read again because it does not fit on the chip: operands of products, block by block."""

from __future__ import annotations

from energy.bill.fusion import CACHED, Rows
from energy.bill.traffic import Bits
from energy.counts import Counts, LayerCount
from hwmodels import Buffer, HardwareProfile, Op

_INPUTS = (Op.ACTIVATION_READ, Op.SPIKE_READ)


def read_again(
    row: LayerCount, profile: HardwareProfile, bits: Bits, steps: int = 1
) -> dict[Op, float]:
    """How often the operands of a product with weights are read, where neither fits on the chip.

    The smaller one lies on the chip strip by strip, and the larger one passes once for each strip:
    size of the smaller / room times, a whole strip or not, so that no byte more is a cliff. With
    A (M x K), B (K x N) and room S this is no less than Hong and Kung's 2 M N K / sqrt(S) - 2 S:
    M K + M N + K N (M K / S) = M N K (1 / N + 1 / K + K / S), and 1 / K + K / S >= 2 / sqrt(S).

    Args:
        row: As counted.
        profile: The machine.
        bits: Of its values.
        steps: Time steps that are worked on one after the other.
    """
    ops, calls, room = row.tally.ops, max(1, row.calls), _room_bytes(profile)
    if room is None or not row.tally.dense_macs or not ops.get(Op.WEIGHT_READ):
        return {}
    weights = ops[Op.WEIGHT_READ] / calls * bits.of(row, Op.WEIGHT_READ) / 8
    inputs = sum(ops.get(op, 0) / calls / steps * bits.of(row, op) / 8 for op in _INPUTS)
    times = min(weights, inputs) / room
    if times <= 1:
        return {}
    return dict.fromkeys(_INPUTS if weights <= inputs else (Op.WEIGHT_READ,), times)


def query_blocks(row: LayerCount, beside: Rows, counts: Counts, profile: HardwareProfile) -> float:
    """How often a pass reads the keys or values of a product of attention.

    A quarter of the room on the chip holds a block of queries, as in algorithm 1 of FlashAttention,
    of all heads, and of one time step where they are spikes; a whole block or not, as in
    `read_again`. The block that has met the keys meets the values. Causal: a block sees the keys up
    to its own end.

    Args:
        row: The product.
        beside: The rows of its block and depth: the one that reads the queries among them.
        counts: Its pass.
        profile: The machine.
    """
    cached = sum(row.tally.ops.get(op, 0) for op in CACHED)
    row = next(iter(beside.get("scores", ())), row)
    ops, calls = row.tally.ops, max(1, row.calls)
    room = _room_bytes(profile)
    queries = counts.tokens / (calls * max(1, counts.batch))
    if room is None or not cached or queries <= 1:
        return 1
    spikes = ops.get(Op.SPIKE_READ, 0) / max(1, counts.timesteps)
    vectors = max(ops.get(Op.ACTIVATION_READ, 0), spikes) / calls
    width = profile.width_bits(Op.ACTIVATION_READ) / 8
    blocks = max(1.0, 4 * vectors / max(1, counts.batch) * width / room)
    return (blocks + 1) / 2 if counts.attention == "causal" else blocks


def _room_bytes(profile: HardwareProfile) -> int | None:
    """Bytes of the level nearest to the activations; None where there is no limit."""
    for name in profile.placement.get(Buffer.ACTIVATIONS, ()):
        return profile.memory[name].capacity_bytes
    return None
