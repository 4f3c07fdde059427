"""Counts as a machine executes them: from what was counted once per call to what moves.

The meter counts facts: each operand once per call. How often the operands of a spiking layer
really move depends on the order of the work, which a `Dataflow` names; what moves between layers
on `Fusion`; how far spikes travel on how many cores the layers take; and how often a stored operand
is fetched beside the adders on its reuse. All follow from the counts alone, so that a stored table
can be priced on any machine. Dense layers move each operand once per call in every dataflow, but
that a machine which gathers rows leaves those that nothing needs, where somebody looked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np

from energy.bill.blocking import query_blocks, read_again
from energy.bill.fusion import CACHED, fused
from energy.bill.traffic import Bits
from energy.counts import Counts
from energy.counts.columns import Columns, Floats, Mask
from hwmodels import Core, Dataflow, Delivery, Fusion, HardwareProfile, Op
from hwmodels.dataflow import Rules

#: An update of a leaky integrate-and-fire neuron: leak, integrate and reset; leak; threshold.
LEAKY = {Op.NEURON_ADD: 3, Op.NEURON_MUL: 1, Op.NEURON_CMP: 1}
_AS_COUNTED = Rules()
Ops = dict[Op, Floats]

_STORED = (Op.WEIGHT_READ, *CACHED)


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
    rules, rows = dataflow.rules, counts.columns
    moved = fused(counts, profile) if facts is None else facts
    ops = dict(moved.columns.ops)
    if rules != _AS_COUNTED:
        _execute(ops, moved, rules)
    stored = needed(rows, rules)
    if stored is not rows:
        ops |= {op: stored.ops[op] for op in _STORED if op in ops}
    if rules.weights != "event":
        # Of gathered rows this is an upper bound: their union is passed as often as the matrix is.
        stepped = rules.weights == "step" and counts.timesteps > 1
        steps = np.where(rows.slots > 0, counts.timesteps, 1) if stepped else 1
        bits = Bits(profile, rules, counts.value_bits)
        _repeat(ops, read_again(rows, profile, bits, steps))
    if profile.fusion is Fusion.FUSED and rules.weights != "event":
        _repeat(ops, dict.fromkeys(CACHED, query_blocks(counts, profile)))
    if Op.NEURON_UPDATE in ops:
        _take_apart(ops, profile)
    if profile.delivery is not None:
        fetched = fetches(stored, profile.delivery)
        ops[Op.DELIVERY] = np.where(fetched > 0, fetched, rows.op(Op.DELIVERY))
    if profile.core is not None:
        hops = _hops(rows, profile.core)
        ops[Op.SPIKE_HOP] = np.where(hops > 0, hops, rows.op(Op.SPIKE_HOP))
    return counts.with_ops(ops)


def needed(rows: Columns, rules: Rules) -> Columns:
    """The rows with what has to be read of their stored operands.

    That is all of them, unless a machine gathers rows of which somebody knows what is touched.
    """
    if rules.weights != "touched":
        return rows
    ops = dict(rows.ops)
    for touched, names in ((rows.touched_weights, _STORED[:1]), (rows.touched_kv, CACHED)):
        every = rows.op(*names)
        looked = (every > 0) & ~np.isnan(touched)
        for op in names:
            if op in ops:  # of two kinds of entries, which no row of ours has, each has its share
                part = np.divide(ops[op] * touched, every, out=touched.copy(), where=looked)
                ops[op] = np.where(looked, np.where(ops[op] == every, touched, part), ops[op])
    return replace(rows, ops=ops)


def _repeat(ops: Ops, times: Mapping[Op, Floats]) -> None:
    for op, each in times.items():
        if op in ops:
            ops[op] = ops[op] * each


def _take_apart(ops: Ops, profile: HardwareProfile) -> None:
    """An update of a neuron is charged whole, or as what it is made of: never both.

    A neuron of which nobody counted what it does is a leaky integrate-and-fire neuron.
    """
    updates = ops[Op.NEURON_UPDATE]
    parts = {op: ops[op] if op in ops else np.zeros(len(updates)) for op in LEAKY}
    if profile.prices_updates:
        ops |= {op: np.where(updates > 0, 0, numbers) for op, numbers in parts.items()}
        return
    unknown = (updates > 0) & ~np.any(list(parts.values()), axis=0)
    ops[Op.NEURON_UPDATE] = np.zeros(len(updates))
    for op, each in LEAKY.items():
        ops[op] = np.where(unknown, each * updates, parts[op])


def fetches(rows: Columns, delivery: Delivery, *, event_reuse: float | None = None) -> Floats:
    """Stored operands that are fetched beside the adders, each for as many uses as share a fetch.

    An operand is used `products / stored` times in a call; no fetch serves more. Where MACs and
    accumulates of a row without spikes are its dense MACs together, they are parts of narrow
    products (`compare.twin`): no events.

    Args:
        rows: As counted.
        delivery: The buffer beside the adders.
        event_reuse: Another number of events that share a fetch.
    """
    macs, events = rows.op(Op.MAC), rows.accumulates
    narrow = (macs > 0) & (rows.slots == 0) & (macs + events == rows.dense_macs)
    macs, events = np.where(narrow, macs + events, macs), np.where(narrow, 0, events)
    calls = np.maximum(1, rows.calls)
    stored = rows.op(*_STORED) / calls
    found = np.zeros(len(rows))
    for uses, reuse in (
        (macs, delivery.mac_reuse),
        (events, delivery.event_reuse if event_reuse is None else event_reuse),
    ):
        of_one = np.divide(uses / calls, stored, out=np.full(len(rows), np.inf), where=stored > 0)
        found += uses / np.clip(of_one, 1, max(1, reuse))
    return found


def _execute(ops: Ops, moved: Counts, rules: Rules) -> None:
    """What moves how often in a spiking layer."""
    rows, timesteps = moved.columns, moved.timesteps
    spiking, accumulates = rows.slots > 0, rows.accumulates

    def put(op: Op, number: Floats | float, where: Mask | bool = True) -> None:
        ops[op] = np.where(spiking & where, number, rows.op(op))

    if rules.weights == "step":
        # Spikes in the cache are those of all time steps already.
        for op in (Op.WEIGHT_READ, Op.VECTOR_READ, Op.KV_READ):
            put(op, rows.op(op) * timesteps)
    elif rules.weights == "event":
        for op in (Op.WEIGHT_READ, Op.KV_READ):
            put(op, accumulates, rows.op(op) > 0)
    if rules.inputs == "step":
        updates = rows.op(Op.NEURON_UPDATE)
        put(Op.ACTIVATION_READ, updates, (updates > 0) & (rows.op(Op.ACTIVATION_READ) > 0))
    for op in (Op.STATE_READ, Op.STATE_WRITE):
        if rules.state == "resident":
            put(op, 0)
        if rules.accumulators == "event":
            put(op, rows.op(op) + accumulates)
    if rules.spikes == "addresses":
        for op in (Op.SPIKE_READ, Op.SPIKE_WRITE):
            put(op, rows.spikes, rows.op(op) > 0)


def cores_needed(rows: Columns, core: Core) -> Floats:
    """Cores that an event-driven layer takes: as its weights or its neurons demand; 0 for others.

    A layer with `slots` entries and `dense_macs` products has dense_macs / slots neurons.
    """
    weights = rows.op(Op.WEIGHT_READ)
    synapses = weights // np.maximum(1, rows.calls)
    neurons = rows.dense_macs // np.maximum(1, rows.slots)
    needed = np.maximum(np.ceil(synapses / core.synapses), np.ceil(neurons / core.neurons))
    return np.where((rows.slots > 0) & (weights > 0), needed, 0)


def mean_hops(cores: int) -> Fraction:
    """Mean distance of two cores drawn at random from the smallest square mesh of so many.

    Two of `k` positions on a line are (k^2 - 1) / (3 k) apart in the mean, and a mesh has two axes.
    """
    side = isqrt(max(1, cores) - 1) + 1
    return Fraction(2 * (side**2 - 1), 3 * side)


def _hops(rows: Columns, core: Core) -> Floats:
    """Each spike goes to every core of the layer it drives; into attention products, to one."""
    cores = cores_needed(rows, core)
    hops = mean_hops(int(cores.sum()))
    messages = np.where(rows.accumulates > 0, rows.spikes * np.maximum(1, cores), 0)
    return np.rint(messages * hops.numerator / hops.denominator)
