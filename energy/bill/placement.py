"""Which memory level each buffer lives in: the nearest one that it fits in.

Persistent buffers come first, weights and then the KV cache, with what the whole model needs of
them; what they leave is shared by the working set of the layer that runs: membrane potentials,
spikes, activations. A buffer that fits in no level of its list lives in the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.counts import Counts
from hwmodels import Buffer, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: In the order in which room is given away.
BUFFERS = (Buffer.WEIGHTS, Buffer.KV_CACHE, Buffer.STATE, Buffer.SPIKES, Buffer.ACTIVATIONS)
PERSISTENT = 2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Rows of a model that are all given.
ALL = slice(None)

#: The operations that tell how much a buffer holds: its column, and whether precision changes it.
HELD = [
    (op, BUFFERS.index(op.buffer), op.scales_with_precision)
    for op in Op
    if op.buffer is not None and op not in (Op.STATE_WRITE, Op.KV_WRITE, Op.KV_SPIKE_WRITE)
]


@dataclass(frozen=True)
class Footprints:
    """How much each buffer holds during one call of each layer, in bytes."""

    scaled: Floats  #: values, at the width of the model that ran, (layers, buffers)
    packed: Floats  #: spikes, whose size no precision changes, (layers, buffers)


def footprints(
    counts: Counts,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    rows: Ints | slice = ALL,
) -> Footprints:
    """Footprints of counted facts: each operand once per call.

    Where calls differ, as the contexts of decode steps do, it is their mean. A membrane potential
    is one value for all time steps. Accumulators that events update in memory are one value per
    result.

    Args:
        counts: As counted.
        rules: What the dataflow keeps in memory.
        rows: The counted row at each place of the model, where rows that are alike stand once.
    """
    scaled, packed = np.zeros((2, len(counts.layers), len(BUFFERS)))
    for i, row in enumerate(counts.layers):
        ops, calls = row.tally.ops, max(1, row.calls)
        for op, column, scales in HELD:
            if number := ops.get(op):
                (scaled if scales else packed)[i, column] += number / calls
    state = scaled[:, BUFFERS.index(Buffer.STATE)]
    state /= counts.timesteps
    if rules.accumulators == "event":
        for i, row in enumerate(counts.layers):
            ops = row.tally.ops
            if row.tally.slots and row.tally.accumulates:
                state[i] += ops.get(Op.ACTIVATION_WRITE, 0) / max(1, row.calls)
    for table in (scaled, packed):
        table[:, :PERSISTENT] = table[rows, :PERSISTENT].sum(axis=0)
    return Footprints(scaled, packed)


def place(held: Floats, profile: HardwareProfile) -> Ints:
    """The level of each buffer in each layer, as an index into `profile.memory`; -1 for none.

    `held` are bytes of each buffer in each layer at the profile's precision, (layers, buffers).
    """
    names = list(profile.memory)
    room = [
        np.full(len(held), np.inf if level.capacity_bytes is None else level.capacity_bytes)
        for level in profile.memory.values()
    ]
    places = np.full(held.shape, -1)
    for j, buffer in enumerate(BUFFERS):
        levels = [names.index(name) for name in profile.placement.get(buffer, ())]
        waiting = np.ones(len(held), dtype=bool)
        for level in levels:
            lives_here = waiting & (held[:, j] <= room[level])
            if level == levels[-1]:
                lives_here = waiting
            places[lives_here, j] = level
            room[level] = np.where(lives_here, room[level] - held[:, j], room[level])
            waiting = waiting & ~lives_here
    return places
