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

from energy.bill.blocking import query_blocks, read_again
from energy.bill.fusion import beside_each, fused
from energy.bill.traffic import Bits
from energy.counts import Counts, LayerCount
from hwmodels import Core, Dataflow, Delivery, Fusion, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: An update of a leaky integrate-and-fire neuron: leak, integrate and reset; leak; threshold.
LEAKY = {Op.NEURON_ADD: 3, Op.NEURON_MUL: 1, Op.NEURON_CMP: 1}
_AS_COUNTED = Rules()
_STORED = (Op.WEIGHT_READ, Op.KV_READ, Op.KV_SPIKE_READ)


def executed(
    counts: Counts, profile: HardwareProfile, dataflow: Dataflow, facts: Counts | None = None
) -> Counts:
    """Counts (once per call) as a machine executes them.

    Args:
        counts: As counted.
        profile: The machine.
        dataflow: How often operands move.
        facts: The counts at the bound of the profile, where somebody has made them (`fused`).
    """
    rules = dataflow.rules
    moved = fused(counts, profile) if facts is None else facts
    tiled = profile.fusion is Fusion.FUSED and rules.weights != "event"
    bits = Bits(profile, rules, counts.value_bits)
    whole_updates = profile.prices_updates
    layers = []
    for row, fact, beside in zip(moved.layers, counts.layers, beside_each(counts), strict=True):
        ops = dict(row.tally.ops)
        if row.tally.slots:
            _execute(ops, row, rules, counts)
        if rules.weights != "event":
            steps = counts.timesteps if rules.weights == "step" and row.tally.slots else 1
            for op, times in read_again(fact, profile, bits, steps).items():
                ops[op] = ops.get(op, 0) * times
        if tiled:
            _read_in_blocks(ops, query_blocks(fact, beside, counts, profile))
        if ops.get(Op.NEURON_UPDATE):
            _take_apart(ops, whole_updates)
        if profile.delivery is not None and (fetched := fetches(fact, profile.delivery)):
            ops[Op.DELIVERY] = fetched
        layers.append(row.with_ops(ops))
    if profile.core is not None:
        layers = _routed(layers, counts, profile.core)
    return replace(counts, layers=tuple(layers))


def _read_in_blocks(ops: dict[Op, float], blocks: float) -> None:
    """Keys and values are read once for each block of queries."""
    for op in (Op.KV_READ, Op.KV_SPIKE_READ):
        if op in ops:
            ops[op] *= blocks


def _take_apart(ops: dict[Op, float], whole_updates: bool) -> None:
    """An update of a neuron is charged whole, or as what it is made of: never both.

    A neuron of which nobody counted what it does is a leaky integrate-and-fire neuron.
    """
    if whole_updates:
        for op in LEAKY:
            ops.pop(op, None)
        return
    updates = ops.pop(Op.NEURON_UPDATE)
    if not any(op in ops for op in LEAKY):
        ops |= {op: each * updates for op, each in LEAKY.items()}


def fetches(fact: LayerCount, delivery: Delivery, *, event_reuse: float | None = None) -> float:
    """Stored operands that are fetched beside the adders, each for as many uses as share a fetch.

    An operand is used `products / stored` times in a call; no fetch serves more. Accumulates
    beside MACs in a row without spikes are parts of narrow products (`compare.twin`): no events.

    Args:
        fact: A row as counted.
        delivery: The buffer beside the adders.
        event_reuse: Another number of events that share a fetch.
    """
    counted, calls = fact.tally.ops, max(1, fact.calls)
    stored = sum(counted.get(op, 0) for op in _STORED) / calls
    macs, events = counted.get(Op.MAC, 0), fact.tally.accumulates
    if macs and not fact.tally.slots:
        macs, events = macs + events, 0
    found = 0.0
    for uses, reuse in (
        (macs, delivery.mac_reuse),
        (events, delivery.event_reuse if event_reuse is None else event_reuse),
    ):
        if uses:
            each = min(reuse, uses / calls / stored) if stored else reuse
            found += uses / max(1.0, each)
    return found


def _execute(ops: dict[Op, float], row: LayerCount, rules: Rules, counts: Counts) -> None:
    """What moves how often in a spiking layer."""
    if rules == _AS_COUNTED:
        return
    accumulates = row.tally.accumulates
    ops |= _weights(row, rules, counts)
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
