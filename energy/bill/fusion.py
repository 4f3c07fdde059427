"""What moves between the products of a model, at the two ends of what a compiler can do.

Counts say what each layer reads and writes by itself: that is the unfused bound. In the fused one

* a function of single elements or of rows (norm, activation, gate, rotation, softmax, coder) takes
  its values on their way and moves none. A residual addition reads the stream, and its sum is
  written in the place of the result that it is added to;
* attention is tiled (FlashAttention, Dao et al. 2022): scores and weights never leave the chip, and
  keys and values are read once for each block of queries that fits;
* between two products a tensor is written once and read once, in the form in which the second one
  reads it: values, or the events of a coder;
* what a projection appends to the cache is not written as an activation as well.

A layer whose part in the architecture is not known keeps what it reads and writes.
"""

from __future__ import annotations

import numpy as np

from energy.bill.layer import COMPUTE
from energy.counts import Counts
from energy.counts.columns import Columns, Floats, Mask
from hwmodels import Fusion, HardwareProfile, Op

#: The component that reads what a component has made, in the same transformer layer.
_NEXT = {"qkv": "scores", "mix": "proj", "ffn_up": "ffn_down"}
CACHED = (Op.KV_READ, Op.KV_SPIKE_READ)


def fused(counts: Counts, profile: HardwareProfile) -> Counts:
    """The counts with what moves at the bound that the profile names."""
    if profile.fusion is Fusion.UNFUSED:
        return counts
    return counts.with_ops(_moved(counts.columns))


def _moved(rows: Columns) -> dict[Op, Floats]:
    """Operations of all rows in the fused bound; the first rule that holds for a row is its own."""
    ops, left = dict(rows.ops), np.ones(len(rows), dtype=bool)

    def those(having: Mask) -> Mask:
        found = left & having
        left[found] = False
        return found

    def put(op: Op, where: Mask, value: Floats | float = 0.0) -> None:
        if where.any():
            ops[op] = np.where(where, value, ops.get(op, 0.0))

    neuron = those(rows.op(Op.NEURON_UPDATE) > 0)
    for op in (Op.ACTIVATION_READ, Op.STATE_READ, Op.STATE_WRITE):
        put(op, neuron)
    put(Op.SPIKE_WRITE, rows.named(".weight_encoder", neuron))
    scores = rows.component("scores")
    # Keys and values go to the cache.
    queries = rows.over_parts(rows.op(Op.SPIKE_READ), scores)
    put(Op.SPIKE_WRITE, rows.named(".qkv_neuron", neuron), queries)

    attention = those(rows.component("scores", "mix") & (rows.op(*CACHED) > 0))
    put(Op.ACTIVATION_WRITE, attention & scores)
    mix = attention & ~scores
    put(Op.ACTIVATION_READ, mix)
    # Events of weights never leave the chip; those of new values come through memory.
    encoders = rows.named(".value_encoder", rows.component("neuron"))
    values = rows.over_parts(rows.op(Op.SPIKE_WRITE), encoders)
    put(Op.SPIKE_READ, mix, np.minimum(rows.op(Op.SPIKE_READ), values))

    product = those(rows.component(*_NEXT) & (rows.op(Op.WEIGHT_READ) > 0))
    put(Op.ACTIVATION_WRITE, mix | product, _shares(rows))

    residual = those(rows.component("residual"))
    put(Op.ACTIVATION_READ, residual, rows.op(Op.ACTIVATION_WRITE))
    put(Op.ACTIVATION_WRITE, residual)

    # A row that does nothing but copy rows of a table has no other operation.
    element = those((rows.op(*COMPUTE) == 0) & (rows.op(*_NOT_MEMORY) > 0))
    for op in (Op.ACTIVATION_READ, Op.ACTIVATION_WRITE):
        put(op, element)
    return ops


_NOT_MEMORY = [op for op in Op if op.group != "memory"]


def _shares(rows: Columns) -> Floats:
    """What a product writes of what the next one reads; the first of several writes first."""
    written = rows.op(Op.ACTIVATION_WRITE).copy()
    for component, reader in _NEXT.items():
        writers = np.flatnonzero(rows.component(component))
        wanted = rows.over_parts(rows.op(Op.ACTIVATION_READ), rows.component(reader))
        left: dict[int, float] = {}
        for row, part in zip(writers.tolist(), rows.part[writers].tolist(), strict=True):
            before = left.get(part, wanted[row])
            written[row] = min(before, written[row])
            left[part] = before - written[row]
    return written
