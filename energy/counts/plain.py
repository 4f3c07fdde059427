"""Tables whose numbers are all plain ones, read a column at a time.

This reads what `Reader` reads where there is nothing to understand, round or refuse, and gives up
on anything else, so that one place knows what a cell may hold.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np

from energy.cells import from_cell
from energy.counts.columns import Columns, Floats, Labels, Rows, whole
from energy.counts.header import KNOWN
from energy.counts.layer import Label, LayerCount, Tally
from energy.counts.rows import ABOUT, Group, Key, Reader
from energy.sheet import Sheet
from hwmodels import Op

#: Digits of numbers that a float holds to the last one.
_DIGITS = 15
#: Rows that are read at a time.
_BLOCK = 2**13
#: Columns of texts, of which a plain table may have any.
_TEXTS = {"layer", "kind", "block", "component", "depth", "variant", *ABOUT}


def read_plain(sheet: Sheet) -> dict[Key, Group] | None:
    """The rows of one run, of which nothing is said in numbers but how often operations occur.

    Returns:
        What `Reader.read` returns, with layers that are views of columns; None for any other table,
        and for one with a fault.
    """
    if not KNOWN.keys() & sheet.header <= _TEXTS | {*Op}:
        return None
    try:
        return _PlainReader(sheet).read()
    except (sheet.error, UnicodeDecodeError, csv.Error):
        return None


class _NotPlainError(Exception):
    """A row that needs the careful reader."""


class _PlainReader:
    """Reads blocks of rows, a column at a time; the careful reader reads what rows repeat."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.reader = sheet, Reader(sheet)
        self.names: list[str] = []
        self.kinds: list[str] = []
        self.codes: dict[tuple[str, ...], int] = {}  #: numbers of `labels`
        self.labels: list[Label] = []
        self.label: list[int] = []
        self.ops: dict[Op, list[Floats]] = {op: [] for _, op in self.reader.ops}

    def read(self) -> dict[Key, Group] | None:
        """See `read_plain`."""
        try:
            for line, cells in self._blocks():
                self._add(line, cells)
        except _NotPlainError:
            return None
        runs = self.reader.runs.values()
        if len(runs) != 1:
            return None
        [(key, about)] = runs
        ops = {op: np.concatenate(blocks) for op, blocks in self.ops.items()}
        columns = Columns.of_ops(
            self.names,
            Labels(self.labels),
            np.array(self.label, dtype=np.intp),
            {op: numbers for op, numbers in ops.items() if numbers.any()},
        )
        layers = Rows(columns, partial(_record, columns, self.kinds))
        return {key: Group(about, layers, range(2, 2 + len(columns)))}

    def _blocks(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Some rows as columns, with the line of the first; no line is empty or goes on."""
        line, width = 2, len(self.sheet.header)
        while rows := list(islice(self.sheet.cells, _BLOCK)):
            if {*map(len, rows)} != {width} or self.sheet.cells.line_num != line + len(rows) - 1:
                raise _NotPlainError
            yield line, list(zip(*rows, strict=True))
            line += len(rows)

    def _add(self, line: int, cells: list[tuple[str, ...]]) -> None:
        """Add a block of rows, of which the first is in this line."""
        reader = self.reader
        columns = [cells[i] for i, _ in reader.ops]
        if not any(map(all, columns)) and not all(map(any, zip(*columns, strict=True))):
            raise _NotPlainError  # a row without a number
        for column, blocks in zip(columns, self.ops.values(), strict=True):
            blocks.append(_numbers(column))
        texts = [_texts(column) if "'" in "".join(column) else column for column in cells]
        self.names += texts[reader.name]
        if reader.kind is not None:
            self.kinds += texts[reader.kind]
        first = [column[0] for column in texts]
        if any({*texts[i]} != {first[i]} for i in reader.about):
            raise _NotPlainError  # rows of several runs
        reader.run_of(line, first)
        places = list(zip(*(texts[i] for i in reader.where), strict=True)) or [()] * len(cells[0])
        for place in dict.fromkeys(places):
            if place in self.codes:
                continue
            at = places.index(place)
            self.codes[place] = len(self.labels)
            self.labels.append(reader.label_of(line + at, [column[at] for column in texts]))
        self.label += map(self.codes.__getitem__, places)


def _texts(column: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(from_cell, column))


def _numbers(column: Sequence[str]) -> Floats:
    """Whole numbers of few digits; an empty cell is none."""
    digits = "".join(column)
    if (digits and not (digits.isascii() and digits.isdigit())) or max(map(len, column)) > _DIGITS:
        raise _NotPlainError
    filled = column if all(column) else [text or "0" for text in column]
    return np.fromiter(map(float, filled), float, len(column))


def _record(columns: Columns, kinds: Sequence[str], row: int) -> LayerCount:
    ops = {op: whole(float(numbers[row])) for op, numbers in columns.ops.items() if numbers[row]}
    kind = kinds[row] if kinds else ""
    return LayerCount(
        columns.names[row], kind, columns.labels.all[columns.label[row]], 0, Tally(ops)
    )
