"""Counts as columns: an array for each number, with an entry for each layer.

Millions of rows are priced in arrays; a record of a row is a view that is made when it is asked
for. A number above 2^53 is rounded here, as all that a bill multiplies is, and exact in its record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from energy.counts.layer import Label, LayerCount
from energy.counts.levels import Levels
from energy.counts.views import Views
from hwmodels import Op

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Mask = NDArray[np.bool_]

#: What spikes may be, by their number in a column.
LEVELS = (None, *Levels)
#: Whole numbers up to this one are exact in a column.
EXACT = 2.0**53


class Labels:
    """The different labels of rows, in their order; what was asked about them is kept."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self.all = tuple(labels)
        self._within: dict[tuple[str | None, str | None], Mask] = {}

    def within(self, block: str | None, component: str | None) -> Mask:
        """Those of a block that have a component; None is any."""
        key = block, component
        if key not in self._within:
            self._within[key] = np.array([x.within(*key) for x in self.all], dtype=bool)
        return self._within[key]

    @cached_property
    def part(self) -> Ints:
        """Numbers of the block and depth of each."""
        parts: dict[object, int] = {}
        numbers = [parts.setdefault((x.block, x.depth), len(parts)) for x in self.all]
        return np.array(numbers, dtype=np.intp)


@dataclass(frozen=True)
class Columns:
    """The numbers of `LayerCount`, each of all layers."""

    names: Sequence[str]
    labels: Labels
    label: Ints  #: which of them a row has
    calls: Floats
    ops: Mapping[Op, Floats]  #: numbers of the operations that occur
    dense_macs: Floats
    spikes: Floats
    slots: Floats
    channels: Floats
    levels: Ints  #: which of `LEVELS` a row has
    touched_weights: Floats  #: NaN where nobody looked
    touched_kv: Floats  #: NaN where nobody looked
    weight_bits: Floats  #: NaN where nobody said
    vector_bits: Floats  #: NaN where nobody said

    @classmethod
    def of(cls, layers: Sequence[LayerCount]) -> Columns:
        """The columns of records."""
        size, tallies = len(layers), [layer.tally for layer in layers]
        ops: dict[Op, list[float]] = {}
        for i, tally in enumerate(tallies):
            for op, number in tally.ops.items():
                if number:
                    if op not in ops:
                        ops[op] = [0] * size
                    ops[op][i] = number
        labels: dict[Label, int] = {}
        label = [labels.setdefault(layer.label, len(labels)) for layer in layers]
        bits = [(layer.weight_bits, layer.vector_bits) for layer in layers]
        weights, vectors = np.array(bits, dtype=float).reshape(size, 2).T
        return cls(
            [layer.name for layer in layers],
            Labels(labels),
            np.array(label, dtype=np.intp),
            _floats([layer.calls for layer in layers]),
            {op: _floats(numbers) for op, numbers in ops.items()},
            _floats([tally.dense_macs for tally in tallies]),
            _floats([tally.spikes for tally in tallies]),
            _floats([tally.slots for tally in tallies]),
            _floats([tally.channels for tally in tallies]),
            np.array([LEVELS.index(tally.levels) for tally in tallies], dtype=np.intp),
            _floats([tally.touched_weights for tally in tallies]),
            _floats([tally.touched_kv for tally in tallies]),
            weights,
            vectors,
        )

    @classmethod
    def of_ops(
        cls, names: Sequence[str], labels: Labels, label: Ints, ops: Mapping[Op, Floats]
    ) -> Columns:
        """Rows of which nothing else is known."""
        none = np.broadcast_to(0.0, len(names))
        unsaid = np.broadcast_to(np.nan, len(names))
        levels = np.broadcast_to(np.intp(0), len(names))
        counted = (none, ops, none, none, none, none, levels)
        return cls(names, labels, label, *counted, *(unsaid,) * 4)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.names)

    def op(self, *ops: Op) -> Floats:
        """How often operations occur, together."""
        total = np.broadcast_to(0.0, len(self))
        found = [self.ops[op] for op in ops if op in self.ops]
        return sum(found[1:], found[0]) if found else total

    @property
    def accumulates(self) -> Floats:
        """Events that were added to an accumulator, with a payload or without."""
        return self.op(Op.AC, Op.SHIFT_AC)

    def take(self, rows: Ints) -> Columns:
        """Those of some rows."""
        used, first, label = np.unique(self.label[rows], return_index=True, return_inverse=True)
        order = np.argsort(first)
        return Columns(
            [self.names[row] for row in rows.tolist()],
            Labels(self.labels.all[i] for i in used[order].tolist()),
            np.argsort(order)[label],
            self.calls[rows],
            {op: n[rows] for op, n in self.ops.items() if n[rows].any()},
            self.dense_macs[rows],
            self.spikes[rows],
            self.slots[rows],
            self.channels[rows],
            self.levels[rows],
            self.touched_weights[rows],
            self.touched_kv[rows],
            self.weight_bits[rows],
            self.vector_bits[rows],
        )

    def within(self, block: str | None, component: str | None) -> Mask:
        """The rows in a block that have a component; None is any."""
        return self.labels.within(block, component)[self.label]

    @property
    def scans(self) -> Mask:
        """The rows of recurrences, whose cache is a state."""
        found = np.array([label.is_scan for label in self.labels.all], dtype=bool)
        return found[self.label]

    def component(self, *components: str) -> Mask:
        """The rows that have one of some components."""
        having = [self.labels.within(None, component) for component in components]
        found: Mask = np.any(having, axis=0)
        return found[self.label]

    @cached_property
    def part(self) -> Ints:
        """Numbers of the block and depth of each row."""
        return self.labels.part[self.label]

    def over_parts(self, numbers: Floats, rows: Mask) -> Floats:
        """For each row the sum of numbers over some of the rows of its block and depth."""
        sums = np.bincount(self.part, np.where(rows, numbers, 0.0))
        return sums.astype(float)[self.part]

    def named(self, end: str, rows: Mask) -> Mask:
        """Those of some rows whose name has this end."""
        found = np.zeros(len(self), dtype=bool)
        at = np.flatnonzero(rows).tolist()
        found[at] = [self.names[i].endswith(end) for i in at]
        return found


class Rows(Views[LayerCount]):
    """Records of layers that are views of columns."""

    def __init__(self, columns: Columns, make: Callable[[int], LayerCount]) -> None:
        super().__init__(len(columns), make)
        self.columns = columns

    def take(self, rows: Ints) -> Rows:
        """Some of them."""
        return Rows(self.columns.take(rows), partial(_taken, self, rows.tolist()))


def _taken(rows: Rows, places: Sequence[int], row: int) -> LayerCount:
    return rows[places[row]]


def with_ops(rows: Sequence[LayerCount], columns: Columns, ops: Mapping[Op, Floats]) -> Rows:
    """The same rows with other numbers of some operations.

    Args:
        rows: As they were.
        columns: Theirs.
        ops: Numbers of all operations; one that is missing is 0.
    """
    none = np.broadcast_to(0.0, len(columns))
    every = {**dict.fromkeys(columns.ops, none), **ops}
    changed = {op: numbers for op, numbers in every.items() if numbers is not columns.ops.get(op)}
    kept = {op: numbers for op, numbers in ops.items() if numbers.any()}
    return Rows(replace(columns, ops=kept), partial(_changed, rows, changed))


def _changed(rows: Sequence[LayerCount], ops: Mapping[Op, Floats], row: int) -> LayerCount:
    changed = {op: whole(float(numbers[row])) for op, numbers in ops.items()}
    return rows[row].with_ops({**rows[row].tally.ops, **changed})


def whole(number: float) -> float:
    """A number of a column as it is counted: whole if it can be."""
    return int(number) if float(number).is_integer() else number


def total(numbers: Floats) -> float:
    """The sum of a column, exact where all of it is whole and none above `EXACT`."""
    if not (numbers == np.floor(numbers)).all():
        return sum(map(whole, numbers.tolist()))
    if numbers.max(initial=0.0) * len(numbers) < EXACT:
        return int(numbers.sum())
    return sum(map(int, numbers.tolist()))


def _floats(numbers: Sequence[float | None]) -> Floats:
    """A column; NaN for None."""
    return np.array(numbers, dtype=float)
