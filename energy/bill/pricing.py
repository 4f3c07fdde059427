"""The bill is linear in the constants of a profile: terms of amounts times values.

What an amount is depends on the counts and on all that a profile says of the machine, not on its
picojoules; so many profiles of one structure share their terms, see `energy.bill.many`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from energy.bill.execution import executed
from energy.bill.fusion import fused
from energy.bill.placement import BUFFERS, Floats, Held, Ints, place
from energy.bill.traffic import MOVED, Bits
from energy.counts import Counts
from hwmodels import Dataflow, HardwareProfile, MemoryLevel, Op


class Constant(NamedTuple):
    """Where a number stands in a profile."""

    op: Op | None = None  #: the operation it prices; None for a memory level
    level: str = ""  #: the memory level
    part: str | int = ""  #: `read`, `write`, or the index of a point of its curve

    def pj(self, profile: HardwareProfile) -> float:
        """Its value in picojoules per operation or byte."""
        if self.op is Op.DELIVERY:
            assert profile.delivery is not None
            return profile.delivery.pj_per_byte
        if self.op is not None:
            return profile.prices[self.op].pj
        level = profile.memory[self.level]
        if isinstance(self.part, int):
            return level.curve[self.part][1]
        flat = level.read_pj_per_byte if self.part == "read" else level.write_pj_per_byte
        assert flat is not None
        return flat


@dataclass(frozen=True)
class Term:
    """What one operation costs for each picojoule of one constant."""

    op: Op
    constant: Constant | None  #: the constant; None where another price includes the operation
    amounts: Floats  #: operations, or bytes, per layer


@dataclass(frozen=True)
class Work:
    """Counts as a machine executes them, as arrays."""

    counts: Counts  #: as executed
    amounts: dict[Op, Floats]  #: of each operation that occurs, per layer; of traffic in bytes
    held: Held  #: what the buffers hold


def prepare(
    counts: Counts,
    profile: HardwareProfile,
    dataflow: Dataflow | None = None,
    rows: Ints | slice = slice(None),
) -> Work:
    """Execute counts on a machine and lay them out as arrays.

    Args:
        counts: As counted.
        profile: The machine; its picojoules play no part.
        dataflow: That of the profile unless given.
        rows: The counted row at each place of the model, where rows that are alike stand once.
    """
    flow = dataflow or profile.dataflow
    facts, bits = fused(counts, profile), Bits(profile, flow.rules, counts.value_bits)
    run = executed(counts, profile, flow, facts)
    table = run.columns
    calls = np.maximum(1, table.calls)
    amounts: dict[Op, Floats] = {}
    moved, held = np.zeros((2, len(table), len(BUFFERS)))
    for op, numbers in table.ops.items():
        if op in MOVED or op is Op.DELIVERY:
            numbers = numbers * (bits.of(table, op) / 8)
        if op in MOVED:
            moved[:, _COLUMN[op]] += numbers / calls
        amounts[op] = numbers
    _hold(held, facts, bits, flow)
    copies = np.bincount(np.arange(len(table))[rows], minlength=len(table)).astype(float)
    return Work(run, amounts, Held(held, moved, copies))


def _hold(held: Floats, facts: Counts, bits: Bits, flow: Dataflow) -> None:
    """Add up the bytes of each buffer during one call of each layer: each operand once.

    Where calls differ, as the contexts of decode steps do, it is their mean. A membrane potential
    is one value for all time steps. Accumulators that events update in memory are one value per
    result.
    """
    rows = facts.columns
    calls = np.maximum(1, rows.calls)
    for op, numbers in rows.ops.items():
        if op in MOVED and op not in HELD_ALREADY:
            steps = facts.timesteps if op is Op.STATE_READ else 1
            held[:, _COLUMN[op]] += numbers / calls / steps * bits.of(rows, op) / 8
    if flow.rules.accumulators == "event":
        updated = (rows.slots > 0) & (rows.accumulates > 0)
        results = np.where(updated, rows.op(Op.ACTIVATION_WRITE), 0) / calls
        held[:, _COLUMN[Op.STATE_WRITE]] += results * bits.of(rows, Op.STATE_WRITE) / 8


#: The buffer of each operation that moves something, as a column.
_COLUMN = {op: BUFFERS.index(op.buffer) for op in MOVED if op.buffer is not None}
#: Written where something is read that holds it.
HELD_ALREADY = frozenset({Op.STATE_WRITE, Op.KV_WRITE, Op.KV_SPIKE_WRITE})


def terms(work: Work, profile: HardwareProfile) -> list[Term]:
    """The bill of counted work on hardware like `profile`, term by term.

    An operation without a price has no term.
    """
    parts: list[Term] = []
    if MOVED & work.amounts.keys():
        shares, sizes = place(work.held, profile), work.held.whole
    for op in Op:
        amounts = work.amounts.get(op)
        if amounts is None:
            continue
        priced = profile.priced_as(op)
        if priced in profile.included:
            parts.append(Term(op, None, amounts))
        elif priced in profile.prices:
            parts.append(Term(op, Constant(priced), amounts))
        elif op is Op.DELIVERY and profile.delivery is not None:
            parts.append(Term(op, Constant(op), amounts))
        elif op.buffer in profile.placement:
            column = BUFFERS.index(op.buffer)
            for (name, level), share in zip(profile.memory.items(), shares, strict=True):
                here = amounts * share[:, column]
                if here.any():
                    parts += _stored(op, level, name, here, sizes[:, column])
    return parts


def _stored(op: Op, level: MemoryLevel, name: str, amounts: Floats, sizes: Floats) -> list[Term]:
    """Traffic with one level: one term, or one for each point of its curve."""
    if not level.curve:
        return [Term(op, Constant(level=name, part="read" if op.is_read else "write"), amounts)]
    ends = np.array([size for size, _ in level.curve], dtype=float)
    points = np.eye(len(ends))  # the share of each point in the price of an array of some size
    shares = [np.interp(sizes, ends, point) for point in points]
    return [
        Term(op, Constant(level=name, part=i), amounts * share)
        for i, share in enumerate(shares)
        if (amounts * share).any()
    ]
