"""The bill is linear in the constants of a profile: terms of amounts times values.

What an amount is depends on the counts, the dataflow and the sizes in the profile, not on its
picojoules; so many profiles of one structure share their terms and are priced in one product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from energy.bill.execution import executed
from energy.bill.layer import COMPUTE
from energy.bill.placement import ALL, BUFFERS, Floats, Footprints, Ints, footprints, place
from energy.counts import Counts
from hwmodels import Core, Dataflow, HardwareProfile, MemoryLevel, Op


class Constant(NamedTuple):
    """Where a number stands in a profile."""

    op: Op | None = None  #: the operation it prices; None for a memory level
    level: str = ""  #: the memory level
    part: str | int = ""  #: `read`, `write`, or the index of a point of its curve

    def pj(self, profile: HardwareProfile) -> float:
        """Its value in picojoules per operation or byte."""
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
    amounts: Floats  #: operations, or bytes of the model that ran, per layer
    scale: float = 1.0  #: bytes at the precision of the profile per byte of the model that ran


@dataclass(frozen=True)
class Work:
    """Counts under a dataflow, as arrays."""

    counts: Counts  #: as executed
    amounts: dict[Op, Floats]  #: of each operation that occurs, per layer
    held: Footprints  #: footprints of the buffers


def at_width(counts: Counts, profile: HardwareProfile) -> Counts:
    """Counts whose bytes are those that the hardware moves, where they do not say their width."""
    return counts if counts.value_bytes else replace(counts, value_bytes=profile.value_bytes)


def prepare(
    counts: Counts, dataflow: Dataflow, core: Core | None, rows: Ints | slice = ALL
) -> Work:
    """Execute counts under a dataflow and lay them out as arrays; `rows` as in `footprints`."""
    run = executed(counts, dataflow, core)
    amounts: dict[Op, Floats] = {}
    for i, row in enumerate(run.layers):
        for op, number in row.tally.ops.items():
            if number:
                if op not in amounts:
                    amounts[op] = np.zeros(len(run.layers))
                amounts[op][i] = number
    return Work(run, amounts, footprints(counts, dataflow.rules, rows))


def terms(work: Work, profile: HardwareProfile) -> list[Term]:
    """The bill of counted work on hardware like `profile`, term by term.

    An operation without a price has no term.
    """
    scale = profile.value_bytes / work.counts.value_bytes
    parts: list[Term] = []
    sizes = work.held.scaled * scale + work.held.packed
    places = place(sizes, profile)
    names = list(profile.memory)
    for op in Op:
        amounts = work.amounts.get(op)
        if amounts is None:
            continue
        if op in profile.included:
            parts.append(Term(op, None, amounts))
        elif op in profile.prices:
            parts.append(Term(op, Constant(op), amounts))
        elif op.buffer in profile.placement:
            column = BUFFERS.index(op.buffer)
            factor = scale if op.scales_with_precision else 1.0
            for level in np.unique(places[:, column]):
                here = np.where(places[:, column] == level, amounts, 0.0)
                if here.any():
                    name = names[level]
                    parts += _stored(op, profile.memory[name], name, here, sizes[:, column], factor)
    return parts


def _stored(
    op: Op, level: MemoryLevel, name: str, amounts: Floats, sizes: Floats, scale: float
) -> list[Term]:
    """Traffic with one level: one term, or one for each point of its curve."""
    if not level.curve:
        return [
            Term(op, Constant(level=name, part="read" if op.is_read else "write"), amounts, scale)
        ]
    ends = np.array([size for size, _ in level.curve], dtype=float)
    points = np.eye(len(ends))  # the share of each point in the price of an array of some size
    shares = [np.interp(sizes, ends, point) for point in points]
    return [
        Term(op, Constant(level=name, part=i), amounts * share, scale)
        for i, share in enumerate(shares)
        if (amounts * share).any()
    ]


def price_many(counts: Counts, profiles: Sequence[HardwareProfile]) -> Floats:
    """Energy of each layer on each of many profiles, in picojoules, (profiles, layers).

    Everything that has a price is summed; NaN where a MAC or an AC has none. Static energy is not
    in it: it belongs to no layer.
    """
    bills = np.empty((len(profiles), len(counts.layers)))
    groups: dict[object, list[int]] = {}
    for i, profile in enumerate(profiles):
        groups.setdefault(_structure(profile), []).append(i)
    works: dict[object, Work] = {}
    for members in groups.values():
        first = profiles[members[0]]
        run = at_width(counts, first)
        execution = (first.dataflow, first.core, run.value_bytes)
        if execution not in works:
            works[execution] = prepare(run, first.dataflow, first.core)
        work = works[execution]
        columns: dict[tuple[Constant, float], Floats] = {}
        for term in terms(work, first):
            if term.constant is not None:
                key = term.constant, term.scale
                columns[key] = columns.get(key, 0.0) + term.amounts
        values = [[c.pj(profiles[i]) * scale for c, scale in columns] for i in members]
        amounts = np.array(list(columns.values())).reshape(len(columns), len(counts.layers))
        energy = np.array(values).reshape(len(members), len(columns)) @ amounts
        for op in COMPUTE & work.amounts.keys():
            if not first.is_priced(op):
                energy[:, work.amounts[op] > 0] = np.nan
        bills[members] = energy
    return bills


def _structure(profile: HardwareProfile) -> tuple[object, ...]:
    """Equal for profiles that differ in nothing but their picojoules."""
    return (
        profile.dataflow,
        profile.core,
        profile.value_bytes,
        tuple(profile.prices),
        tuple(profile.included),
        tuple(profile.placement.items()),
        tuple(
            (name, level.capacity_bytes, tuple(size for size, _ in level.curve))
            for name, level in profile.memory.items()
        ),
    )


def time_at_full_use_s(counts: Counts, profile: HardwareProfile) -> float | None:
    """Seconds at full use of the chip, one kind of operation after the other.

    Bytes of the executed counts are rescaled to the profile's `value_bytes`. None where it does not
    say how fast it does a kind of product that occurs.
    """
    if not profile.throughput or any(
        counts.total(op) and op not in profile.throughput for op in COMPUTE
    ):
        return None
    scale = profile.value_bytes / counts.value_bytes
    return math.fsum(
        counts.total(op) * (scale if op.scales_with_precision else 1.0) / rate.per_second
        for op, rate in profile.throughput.items()
    )
