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

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from energy.bill.layer import COMPUTE
from energy.counts import Counts, LayerCount
from hwmodels import Fusion, HardwareProfile, Op

#: The component that reads what a component has made, in the same transformer layer.
_NEXT = {"qkv": "scores", "mix": "proj", "ffn_up": "ffn_down"}
CACHED = (Op.KV_READ, Op.KV_SPIKE_READ)

Rows = Mapping[str, list[LayerCount]]


def fused(counts: Counts, profile: HardwareProfile) -> Counts:
    """The counts with what moves at the bound that the profile names."""
    if profile.fusion is Fusion.UNFUSED:
        return counts
    rows = zip(counts.layers, beside_each(counts), strict=True)
    return replace(counts, layers=tuple(row.with_ops(_moved(row, beside)) for row, beside in rows))


def beside_each(counts: Counts) -> list[Rows]:
    """Of each row the rows of its block and depth, itself too, by component."""
    parts: dict[tuple[str, int | None], dict[str, list[LayerCount]]] = defaultdict(dict)
    for row in counts.layers:
        part = parts[row.label.block, row.label.depth]
        part.setdefault(row.label.component, []).append(row)
    return [parts[row.label.block, row.label.depth] for row in counts.layers]


def _moved(row: LayerCount, beside: Rows) -> dict[Op, float]:
    """Operations of a row in the fused bound, given the rows of its block and depth."""
    ops, component = dict(row.tally.ops), row.label.component
    if ops.get(Op.NEURON_UPDATE):
        ops[Op.ACTIVATION_READ] = ops[Op.STATE_READ] = ops[Op.STATE_WRITE] = 0
        if row.name.endswith(".weight_encoder"):
            ops[Op.SPIKE_WRITE] = 0
        elif row.name.endswith(".qkv_neuron"):  # keys and values go to the cache
            ops[Op.SPIKE_WRITE] = _total(beside.get("scores", ()), Op.SPIKE_READ)
    elif component in ("scores", "mix") and any(ops.get(op) for op in CACHED):
        if component == "scores":
            ops[Op.ACTIVATION_WRITE] = 0
        else:
            ops[Op.ACTIVATION_READ] = 0
            # Events of weights never leave the chip; those of new values come through memory.
            values = [x for x in beside.get("neuron", ()) if x.name.endswith(".value_encoder")]
            ops[Op.SPIKE_READ] = min(ops.get(Op.SPIKE_READ, 0), _total(values, Op.SPIKE_WRITE))
            ops[Op.ACTIVATION_WRITE] = _share(row, beside)
    elif component in _NEXT and ops.get(Op.WEIGHT_READ):
        ops[Op.ACTIVATION_WRITE] = _share(row, beside)
    elif component == "residual":
        ops[Op.ACTIVATION_READ] = ops.get(Op.ACTIVATION_WRITE, 0)
        ops[Op.ACTIVATION_WRITE] = 0
    elif not any(ops.get(op) for op in COMPUTE) and not _looks_up(ops):
        ops[Op.ACTIVATION_READ] = ops[Op.ACTIVATION_WRITE] = 0
    return ops


def _looks_up(ops: Mapping[Op, float]) -> bool:
    """Whether a row does nothing but copy rows of a table."""
    return all(op.group == "memory" for op, number in ops.items() if number)


def _share(row: LayerCount, beside: Rows) -> float:
    """What a product writes of what the next one reads; the first of several writes first."""
    component = row.label.component
    left = _total(beside.get(_NEXT[component], ()), Op.ACTIVATION_READ)
    for other in beside[component]:
        written = min(left, other.tally.ops.get(Op.ACTIVATION_WRITE, 0))
        if other.name == row.name:
            return written
        left -= written
    return 0


def _total(rows: Iterable[LayerCount], op: Op) -> float:
    return sum(row.tally.ops.get(op, 0) for row in rows)
