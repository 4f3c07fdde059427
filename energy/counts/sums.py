"""Rows that are the sum of other rows: totals, and modules above the modules that do the work."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from energy.counts.columns import Rows, total
from energy.counts.layer import LayerCount, Tally
from energy.counts.names import below, is_total, names_of, repeated, word
from energy.sheet import Sheet, listed
from hwmodels import Op
from hwmodels.plain import printable, quoted, several, shortened

#: Relative difference that is put down to rounding, in a table with rounded numbers.
ROUNDING = 0.005
_TOTAL = re.compile(r"(grand )?total", re.IGNORECASE)
_MAY_BE_LAYER = "sum", "all", "overall"
_SHORT = 40  #: characters of a name in a sentence

Numbers = Mapping[str, float]


def without_sums(
    layers: Sequence[LayerCount], lines: Sequence[int], sheet: Sheet, *, own: bool
) -> tuple[Sequence[LayerCount], list[str]]:
    """The rows of one pass that are work of their own.

    A total (`TOTAL`, or no name) and a module (a dotted prefix of other rows) are left out where
    their numbers are the sum of the rows that they stand for. Where they say more, and it is plain
    that they are sums, what is more stays as a row `NAME (rest)`. A module that says less than the
    rows below it cannot hold them: it is work of its own.

    Args:
        layers: The rows.
        lines: Their lines.
        sheet: The table, for errors.
        own: Whether it is a `counts.csv` of this program, whose rows are all work of their own but
            for a total that somebody added.

    Returns:
        The rows, and what was left out, in sentences.

    Raises:
        UserError: As the error of the sheet, for a row that stands twice, or may be a sum or not.
    """
    layers = layers if isinstance(layers, Rows) else tuple(layers)
    names = names_of(layers)
    said = repeated(layers, names, lines, sheet)
    totals = [i for i, x in enumerate(names) if is_total(x) and (word(x) or not own)]
    inside = {} if own else below(names, {*totals})
    if len(layers) == 1 or not (totals or inside):
        return layers, said
    tree = _Tree(layers, lines, sheet, inside, totals, own)
    tree.find()
    return tree.kept(), said + tree.said()


@dataclass
class _Tree:
    """The rows of a table, and which of them are sums of others."""

    layers: Sequence[LayerCount]
    lines: Sequence[int]
    sheet: Sheet
    below: dict[int, list[int]]  #: rows directly below each module
    totals: list[int]
    own: bool
    sums: set[int] = field(default_factory=set)  #: rows that are left out
    rest: dict[int, Numbers] = field(default_factory=dict)  #: what sums say more than their rows
    worth: dict[int, Numbers] = field(default_factory=dict)  #: of modules, with all below them

    def find(self) -> None:
        """Find which rows are sums, or refuse one that may be one."""
        for module in sorted(self.below, key=lambda i: -self.layers[i].name.count(".")):
            self._look_at(module)
        inside = {i for rows in self.below.values() for i in rows} | {*self.totals}
        tops = [i for i in range(len(self.layers)) if i not in inside]
        if self._are_exclusive(tops):
            self.sums, self.rest, self.worth = set(), {}, {}
            tops = [i for i in range(len(self.layers)) if i not in self.totals]
        plain = bool(self.sums - self.rest.keys()) or self._states(self._sum(tops))
        if self.rest and not plain:
            raise self._unclear(min(self.rest), "more than the rows below it")
        for row in self.totals:
            self._look_at_total(row, tops, plain)

    def _look_at(self, module: int) -> None:
        stated, parts = _numbers(self.layers[module]), self._sum(self.below[module])
        signs = self._signs(stated, parts)
        self.worth[module] = stated
        if signs and -1 not in signs:
            self.sums.add(module)
            if 1 in signs:
                self.rest[module] = _minus(stated, parts)
        elif signs <= {-1}:  # less, or nothing
            self.worth[module] = _plus([stated, parts])
        else:
            raise self._unclear(module, "some numbers of the rows below it")

    def _look_at_total(self, row: int, tops: Sequence[int], plain: bool) -> None:
        stated, parts = _numbers(self.layers[row]), self._sum(tops)
        signs, called = self._signs(stated, parts), word(self.layers[row].name).casefold()
        again = any(
            not self._signs(stated, _numbers(self.layers[x])) - {0}
            for x in self.totals
            if x in self.sums
        )
        if signs <= {0} or again:
            self.sums.add(row)
        elif self.own or (called in _MAY_BE_LAYER and 1 not in signs):
            return
        elif -1 in signs or self.sums & {*self.totals}:
            raise self._unclear(row, "not the sum of the others")
        elif _TOTAL.fullmatch(called) or (plain and not called):
            self.sums.add(row)
            self.rest[row] = _minus(stated, parts)
        else:
            raise self._unclear(row, "more than the sum of the others")

    def _are_exclusive(self, tops: Sequence[int]) -> bool:
        """Whether a total says that modules hold no work of the rows below them."""
        summed = _plus(_numbers(x) for i, x in enumerate(self.layers) if i not in self.totals)
        return bool(self.sums) and not self._states(self._sum(tops)) and self._states(summed)

    def _states(self, numbers: Numbers) -> bool:
        """Whether a total has these numbers."""
        return any(self._signs(_numbers(self.layers[i]), numbers) == {0} for i in self.totals)

    def _sum(self, rows: Iterable[int]) -> Numbers:
        rows = list(rows)
        if isinstance(self.layers, Rows) and self.worth.keys().isdisjoint(rows):
            columns = self.layers.columns.ops
            return {op.value: total(numbers[rows]) for op, numbers in columns.items()}
        return _plus(self.worth.get(i) or _numbers(self.layers[i]) for i in rows)

    def _signs(self, stated: Numbers, parts: Numbers) -> set[int]:
        """Whether what is stated is less, the same or more than the parts, column by column."""
        tolerance = ROUNDING if self.sheet.numerals.rounded else 0.0
        return {
            0 if math.isclose(a, b, rel_tol=tolerance) else 1 if a > b else -1
            for a, b in ((a, parts.get(key, 0)) for key, a in stated.items())
        }

    def _unclear(self, row: int, why: str) -> Exception:
        name = self.layers[row].name
        another = quoted(f"{name or 'layer'}.own", _SHORT)
        return self.sheet.fault(
            self.lines[row],
            f": {quoted(name, _SHORT)} has {why}, so it may be a sum or work of its own; leave it "
            f"out, or call it {another}",
        )

    def kept(self) -> Sequence[LayerCount]:
        """The rows that are work of their own, and what sums say more."""
        if isinstance(self.layers, Rows) and not self.rest:
            own = [i not in self.sums for i in range(len(self.layers))]
            return self.layers.take(np.flatnonzero(own))
        return tuple(
            self._rest(i) if i in self.rest else layer
            for i, layer in enumerate(self.layers)
            if i not in self.sums or i in self.rest
        )

    def _rest(self, row: int) -> LayerCount:
        layer, numbers = self.layers[row], dict(self.rest[row])
        about: dict[str, Any] = {key: numbers.pop(key, 0) for key in _ABOUT}
        ops = {Op(key): number for key, number in numbers.items()}
        name = f"{word(layer.name) or 'model'} (rest)"
        return LayerCount(name, layer.kind, layer.label, layer.calls, Tally(ops, **about))

    def said(self) -> list[str]:
        """What was left out."""
        out = [self.layers[i].name for i in sorted(self.sums - self.rest.keys())]
        said = []
        if out:
            number = several(len(out), "row")
            said.append(f"rows that are sums of others, left out: {listed(out)} ({number})")
        for i, numbers in self.rest.items():
            more = ", ".join(f"{number:,} {op}" for op, number in numbers.items())
            name = printable(shortened(self.layers[i].name, _SHORT)) or "without a name"
            said.append(f"row {name} holds other rows; what no other row says stays: {more}")
        return said


#: Fields of a tally that are no operations, in its order.
_ABOUT = "dense_macs", "spikes", "slots"


def _numbers(layer: LayerCount) -> Numbers:
    tally = layer.tally
    numbers = {op.value: number for op, number in tally.ops.items()}
    about = zip(_ABOUT, (tally.dense_macs, tally.spikes, tally.slots), strict=True)
    return numbers | {key: number for key, number in about if number}


def _plus(several: Iterable[Numbers]) -> Numbers:
    found: Counter[str] = Counter()
    for numbers in several:
        found.update(numbers)
    return found


def _minus(a: Numbers, b: Numbers) -> Numbers:
    return {key: left for key in a if (left := a[key] - b.get(key, 0)) > 0}
