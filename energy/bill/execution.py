"""Counts as a machine executes them: from what was counted once per call to what moves.

The meter counts facts: each operand once per call. How often the operands of a spiking layer
really move depends on the order of the work, which a `Dataflow` names; what moves between layers
on `Fusion`; how far spikes travel on how many cores the layers take; and how often a stored operand
is fetched beside the adders on its reuse. All follow from the counts alone, so that a stored table
can be priced on any machine. Dense layers move each operand once per call in every dataflow.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

from energy.bill.fusion import fused, query_blocks
from energy.counts import Counts, LayerCount
from hwmodels import Core, Dataflow, Fusion, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: Bits of a spike that is sent as an address: the events of the common address-event links.
ADDRESS_BITS = 32

#: An update of a leaky integrate-and-fire neuron: leak, integrate and reset; leak; threshold.
LEAKY = {Op.NEURON_ADD: 3, Op.NEURON_MUL: 1, Op.NEURON_CMP: 1}
_STORED = (Op.WEIGHT_READ, Op.KV_READ, Op.KV_SPIKE_READ)


def executed(counts: Counts, profile: HardwareProfile, dataflow: Dataflow) -> Counts:
    """Counts (once per call) as a machine executes them; `fused` counts are not fused again."""
    rules = dataflow.rules
    facts = fused(counts, profile)
    layers = [_executed(x, rules, counts) if x.tally.slots else x for x in facts.layers]
    if profile.fusion is Fusion.FUSED and rules.weights != "event":
        layers = [
            _in_blocks(row, query_blocks(fact, counts, profile))
            for row, fact in zip(layers, counts.layers, strict=True)
        ]
    layers = [_of_neurons(row, profile) for row in layers]
    if profile.core is not None:
        layers = _routed(layers, counts, profile.core)
    if profile.delivery is not None:
        layers = [
            _delivered(row, fact, profile) for row, fact in zip(layers, counts.layers, strict=True)
        ]
    return replace(counts, layers=tuple(layers))


def _in_blocks(row: LayerCount, blocks: float) -> LayerCount:
    """Keys and values are read once for each block of queries."""
    if blocks == 1:
        return row
    ops = dict(row.tally.ops)
    for op in (Op.KV_READ, Op.KV_SPIKE_READ):
        ops[op] = ops.get(op, 0) * blocks
    return row.with_ops(ops)


def _of_neurons(row: LayerCount, profile: HardwareProfile) -> LayerCount:
    """An update of a neuron is charged whole, or as what it is made of: never both.

    A neuron of which nobody counted what it does is a leaky integrate-and-fire neuron.
    """
    ops = row.tally.ops
    if Op.NEURON_UPDATE not in ops:
        return row
    if profile.prices_updates:
        return row.with_ops({op: n for op, n in ops.items() if op not in LEAKY})
    kept = dict(ops)
    updates = kept.pop(Op.NEURON_UPDATE)
    if not any(op in kept for op in LEAKY):
        kept |= {op: each * updates for op, each in LEAKY.items()}
    return row.with_ops(kept)


def _delivered(row: LayerCount, fact: LayerCount, profile: HardwareProfile) -> LayerCount:
    """Stored operands that are fetched beside the adders, each for as many uses as share a fetch.

    An operand is used `products / stored` times in a call; no fetch serves more.
    """
    ops, calls = fact.tally.ops, max(1, fact.calls)
    stored = sum(ops.get(op, 0) for op in _STORED) / calls
    delivery = profile.delivery
    assert delivery is not None
    fetches = 0.0
    for uses, reuse in (
        (ops.get(Op.MAC, 0), delivery.mac_reuse),
        (fact.tally.accumulates, delivery.event_reuse),
    ):
        if uses:
            each = min(reuse, uses / calls / stored) if stored else reuse
            fetches += uses / max(1.0, each)
    return row.with_ops({**row.tally.ops, Op.DELIVERY: fetches}) if fetches else row


def _executed(row: LayerCount, rules: Rules, counts: Counts) -> LayerCount:
    if rules == Rules():
        return row
    accumulates = row.tally.accumulates
    ops = dict(row.tally.ops) | _weights(row, rules, counts)
    if rules.inputs == "step" and Op.NEURON_UPDATE in ops and ops.get(Op.ACTIVATION_READ):
        ops[Op.ACTIVATION_READ] = ops[Op.NEURON_UPDATE]
    if rules.state == "resident":
        ops[Op.STATE_READ] = ops[Op.STATE_WRITE] = 0
    if rules.accumulators == "event":
        for op in (Op.STATE_READ, Op.STATE_WRITE):
            ops[op] = ops.get(op, 0) + accumulates
    if rules.spikes == "addresses":
        for op in (Op.SPIKE_READ, Op.SPIKE_WRITE):
            ops[op] = row.tally.spikes if ops.get(op) else 0
    return row.with_ops(ops)


def _weights(row: LayerCount, rules: Rules, counts: Counts) -> dict[Op, float]:
    """Reads of what is stored, under the rules for weights."""
    ops = row.tally.ops
    if rules.weights == "step":
        # Spikes in the cache are those of all time steps already.
        stored = (Op.WEIGHT_READ, Op.VECTOR_READ, Op.KV_READ)
        return {op: ops.get(op, 0) * counts.timesteps for op in stored}
    if rules.weights == "event":
        per_event = row.tally.accumulates
        return {op: per_event if ops.get(op) else 0 for op in (Op.WEIGHT_READ, Op.KV_READ)}
    return {}


def cores_needed(row: LayerCount, core: Core) -> int:
    """Cores that an event-driven layer takes: as its weights or its neurons demand; 0 for others.

    A layer with `slots` entries and `dense_macs` products has dense_macs / slots neurons.
    """
    weights = row.tally.ops.get(Op.WEIGHT_READ, 0)
    if not (row.tally.slots and weights):
        return 0
    synapses = weights // max(1, row.calls)
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
    needed = [cores_needed(row, core) for row in counts.layers]
    hops = mean_hops(sum(needed))
    routed = []
    for row, cores in zip(layers, needed, strict=True):
        messages = row.tally.spikes * max(1, cores) if row.tally.accumulates else 0
        number = round(messages * hops)
        routed.append(row.with_ops({**row.tally.ops, Op.SPIKE_HOP: number}) if number else row)
    return routed
