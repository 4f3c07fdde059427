"""Counts as a dataflow executes them: from what was counted once per call to what moves.

The meter counts facts: each operand once per call. How often the operands of a spiking layer
really move depends on the order of the work, which a `Dataflow` names; and how far spikes travel
depends on how many cores the layers take. Both follow from the counts alone, so that a stored table
can be priced under any of them. Dense layers move each operand once per call in every dataflow.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

from energy.counts import Counts, LayerCount
from hwmodels import Core, Dataflow, Op
from hwmodels.dataflow import Rules

#: Bytes of a spike that is sent as an address: the events of the common address-event links.
ADDRESS_BYTES = 4


def executed(counts: Counts, dataflow: Dataflow, core: Core | None = None) -> Counts:
    """Counts (once per call) under a dataflow; with a `core`, `SPIKE_HOP` is filled in."""
    rules = dataflow.rules
    layers = [_executed(x, rules, counts) if x.tally.slots else x for x in counts.layers]
    if core is not None:
        layers = _routed(layers, counts, core)
    return replace(counts, layers=tuple(layers))


def _executed(row: LayerCount, rules: Rules, counts: Counts) -> LayerCount:
    if rules == Rules():
        return row
    width, accumulates = counts.value_bytes, row.tally.accumulates
    ops = dict(row.tally.ops) | _weights(row, rules, counts)
    if rules.inputs == "step" and Op.NEURON_UPDATE in ops:
        ops[Op.ACTIVATION_READ] = ops[Op.NEURON_UPDATE] * width
    if rules.state == "resident":
        ops[Op.STATE_READ] = ops[Op.STATE_WRITE] = 0
    if rules.accumulators == "event":
        for op in (Op.STATE_READ, Op.STATE_WRITE):
            ops[op] = ops.get(op, 0) + accumulates * width
    if rules.spikes == "addresses":
        for op in (Op.SPIKE_READ, Op.SPIKE_WRITE):
            ops[op] = row.tally.spikes * ADDRESS_BYTES if ops.get(op) else 0
    return row.with_ops(ops)


def _weights(row: LayerCount, rules: Rules, counts: Counts) -> dict[Op, float]:
    """Reads of what is stored, under the rules for weights."""
    ops = row.tally.ops
    if rules.weights == "step":
        # Spikes in the cache are those of all time steps already.
        stored = (Op.WEIGHT_READ, Op.VECTOR_READ, Op.KV_READ)
        return {op: ops.get(op, 0) * counts.timesteps for op in stored}
    if rules.weights == "event":
        per_event = row.tally.accumulates * counts.value_bytes
        return {op: per_event if ops.get(op) else 0 for op in (Op.WEIGHT_READ, Op.KV_READ)}
    return {}


def cores_needed(row: LayerCount, value_bytes: float, core: Core) -> int:
    """Cores that an event-driven layer takes: as its weights or its neurons demand; 0 for others.

    A layer with `slots` entries and `dense_macs` products has dense_macs / slots neurons.
    """
    weights = row.tally.ops.get(Op.WEIGHT_READ, 0)
    if not (row.tally.slots and weights):
        return 0
    synapses = weights // (value_bytes * max(1, row.calls))
    neurons = row.tally.dense_macs // row.tally.slots
    return int(max(-(-synapses // core.synapses), -(-neurons // core.neurons)))


def mean_hops(cores: int) -> Fraction:
    """Mean distance of two cores drawn at random from the smallest square mesh of so many.

    Two of `k` positions on a line are (k^2 - 1) / (3 k) apart in the mean, and a mesh has two axes.
    """
    side = isqrt(max(1, cores) - 1) + 1
    return Fraction(2 * (side**2 - 1), 3 * side)


def _routed(layers: list[LayerCount], counts: Counts, core: Core) -> list[LayerCount]:
    """Each spike goes to every core of the layer it drives; into attention products, to one."""
    needed = [cores_needed(row, counts.value_bytes, core) for row in counts.layers]
    hops = mean_hops(sum(needed))
    routed = []
    for row, cores in zip(layers, needed, strict=True):
        messages = row.tally.spikes * max(1, cores) if row.tally.accumulates else 0
        number = round(messages * hops)
        routed.append(row.with_ops({**row.tally.ops, Op.SPIKE_HOP: number}) if number else row)
    return routed
