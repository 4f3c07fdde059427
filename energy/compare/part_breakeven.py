"""The break-even of a part of a model, from the bills of both sides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

from energy.bill.estimate import Estimate
from energy.bill.layer import COMPUTE, LayerEnergy, relevant_ops
from energy.compare.breakeven import Bound, BreakEven, Part
from energy.compare.reuse import reuse_break_even
from energy.counts import Counts, LayerCount, Tally
from energy.formulas.touched import touched_at
from hwmodels import HardwareProfile, Op

#: Steps towards a break-even on a curve, and the relative change after which there are no more.
_STEPS, _CLOSE = 12, 1e-6

#: What static energy is called among what has no price.
STATIC = "static"

#: Operations that occur once for an event, or once for each accumulator that it reaches.
_PER_EVENT = frozenset({Op.AC, Op.SHIFT_AC, Op.SPIKE, Op.SPIKE_HOP})
#: A row normalisation adds each event to the sum of its row; see `nonlinear.row_normalise`.
_ALSO_PER_EVENT = {"RowNormalise": frozenset({Op.ADD})}


def part_break_even(
    part: Part,
    accounting: str,
    asa: Estimate,
    silent: Estimate,
    busy: Estimate,
    between: Sequence[tuple[float, Estimate]] = (),
) -> BreakEven | None:
    """The break-even of one part; None for a part that takes no events.

    Args:
        part: What to compare.
        accounting: One of `ACCOUNTINGS`, or `full`.
        asa: Bill of the analog model.
        silent: Bill of the spiking model without an event; see `silenced`.
        busy: Bill of the spiking model with events.
        between: Bills at rising multiples of these events, where rows are gathered.
    """
    asa, silent, busy = (bill.under(accounting) for bill in (asa, silent, busy))
    named = (asa, part.analog), (silent, part.spiking), (busy, part.spiking)
    sides = [_Side.of(bill, names, accounting) for bill, names in named]
    counted = [row.count for row in sides[2].rows]
    rate = _rate([row.tally for row in counted])
    products = tuple(row for row in counted if row.tally.dense_macs)
    events = replace(busy.counts, layers=products).events_per_mac
    if rate is None or events is None:
        return None
    missing = _missing(sides, accounting)
    unpriced = {op: amounts for op, amounts in missing.items() if len(set(amounts)) > 1}
    bound = _bound(unpriced)
    if len({side.static_pj is None for side in sides}) > 1:
        unpriced[STATIC], bound = [], Bound.UNKNOWN
    asa_pj, silent_pj, busy_pj = (side.energy_pj(accounting) for side in sides)
    return BreakEven(
        part,
        accounting,
        busy.counts.timesteps,
        asa_pj,
        silent_pj,
        busy_pj,
        rate,
        events,
        tuple(unpriced),
        tuple(op for op in missing if op not in unpriced),
        bound,
        None
        if bound or accounting == "compute"
        else reuse_break_even(asa_pj, busy_pj, busy, part.spiking),
        curve(part, accounting, silent_pj, between) if accounting != "compute" else (),
    )


def on_the_curve(
    line: BreakEven, bill: Callable[[float], Estimate], known: Sequence[tuple[float, Estimate]]
) -> BreakEven:
    """The same break-even, on the bill of the spiking model itself, which bends.

    Each step makes the bill where the curve so far crosses, and adds it to the curve.

    Args:
        line: Of `part_break_even`.
        bill: That of the spiking model at a multiple of the busy events.
        known: Bills of the curve so far, at rising multiples; the last one is at the most.
    """
    points = dict(known)
    for _ in range(_STEPS):
        place = line.crossing
        if line.accounting == "compute" or place is None or not 0 < place < max(points):
            return line
        points[place] = bill(place)
        bills = sorted(points.items(), key=itemgetter(0))
        line = replace(line, curve=curve(line.part, line.accounting, line.silent_pj, bills))
        if line.crossing is None or abs(line.crossing / place - 1) < _CLOSE:
            return line
    return line


def curve(
    part: Part, accounting: str, silent_pj: float, between: Sequence[tuple[float, Estimate]]
) -> tuple[tuple[float, float], ...]:
    """Energies of a part of the spiking model at multiples of its events, from none on."""
    if not between:
        return ()
    sides = ((x, _Side.of(bill.under(accounting), part.spiking, accounting)) for x, bill in between)
    return ((0.0, silent_pj), *((x, side.energy_pj(accounting)) for x, side in sides))


def _missing(sides: Sequence[_Side], accounting: str) -> dict[str, list[float]]:
    """How often each operation without a price occurs on each side."""
    return {
        op.value: [side.amount(op) for side in sides]
        for op in relevant_ops(accounting)
        if any(side.lacks(op) for side in sides)
    }


class _Side(NamedTuple):
    """Bills of the rows of one side, and its static energy: none where it does not take part."""

    profile: HardwareProfile
    rows: list[LayerEnergy]
    static_pj: float | None

    @classmethod
    def of(cls, bill: Estimate, names: frozenset[str] | None, accounting: str) -> _Side:
        """The rows of these names, or all of them."""
        rows = [row for row in bill.layers if names is None or row.count.name in names]
        whole = names is None and accounting != "compute"
        return cls(bill.profile, rows, bill.static_pj if whole else 0.0)

    def amount(self, op: Op) -> float:
        return sum(row.count.tally.ops.get(op, 0) for row in self.rows)

    def lacks(self, op: Op) -> bool:
        # What takes no bits, such as the addresses of no events, costs nothing, and has a price.
        return not self.profile.is_priced(op) and self.amount(op) > 0

    def energy_pj(self, accounting: str) -> float:
        relevant = relevant_ops(accounting)
        priced = (pj for row in self.rows for op, pj in row.pj.items() if op in relevant)
        return math.fsum(priced) + (self.static_pj or 0.0)


def _bound(missing: dict[str, list[float]]) -> Bound | None:
    """What follows from how often operations without a price occur: analog, silent, busy."""
    if not missing:
        return None
    # More of them on the spiking side lowers the true break-even, more on the analog side raises
    # it. Without a price of the products themselves there is nothing to go by.
    if not missing.keys() & {op.value for op in COMPUTE}:
        if all(asa <= silent <= busy for asa, silent, busy in missing.values()):
            return Bound.AT_MOST
        if all(asa >= silent == busy for asa, silent, busy in missing.values()):
            return Bound.AT_LEAST
    return Bound.UNKNOWN


def _rate(tallies: list[Tally]) -> float | None:
    """Events of matrix products over what they would be if each slot held one; None without any."""
    events = slots = 0.0
    for tally in tallies:
        if tally.slots and tally.dense_macs:
            events += (accumulates := tally.accumulates)
            # Events that cause so many accumulates have a mean fan-out of accumulates / spikes.
            slots += accumulates / tally.spikes * tally.slots if tally.spikes else tally.dense_macs
    return events / slots if slots else None


def silenced(counts: Counts) -> Counts:
    """The counts of the spiking variant, had no neuron sent a spike."""
    return with_events(counts, 0)


def with_events(counts: Counts, times: float) -> Counts:
    """The counts of the spiking variant, had each neuron sent so many times as many spikes.

    The rows that they touch follow `formulas.touched.touched_at`.
    """
    return replace(counts, layers=tuple(_with_events(row, times) for row in counts.layers))


def _with_events(row: LayerCount, times: float) -> LayerCount:
    follow, tally = _PER_EVENT | _ALSO_PER_EVENT.get(row.kind, frozenset()), row.tally
    if not tally.slots and row.kind not in _ALSO_PER_EVENT:
        return row
    ops = {op: n * times if op in follow else n for op, n in tally.ops.items()}
    rate = tally.spikes / tally.slots if tally.slots else 0.0
    weights, _, kv = tally.looked
    if weights is not None and (read := tally.ops.get(Op.WEIGHT_READ)):
        weights = read * touched_at(weights / read, rate, times)
    if kv is not None and tally.kv_read:
        kv = tally.kv_read * touched_at(kv / tally.kv_read, rate, times)
    changed = tally._replace(ops={op: n for op, n in ops.items() if n}, spikes=tally.spikes * times)
    return replace(row, tally=changed.seen(weights, None, kv))
