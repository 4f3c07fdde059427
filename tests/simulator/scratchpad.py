"""Room on the chip that knows what it holds, and products that go through it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import product

from hwmodels import Op

#: A value: its tensor, and where in it.
Value = tuple[object, ...]


@dataclass
class Scratchpad:
    """The room on the chip, in values: what is loaded stays until it is dropped."""

    room: float
    held: set[Value] = field(default_factory=set)
    moved: Counter[Op] = field(default_factory=Counter)
    most: int = 0  #: values that were held at once

    def load(self, op: Op, value: Value) -> None:
        """Fetch a value, unless it is here."""
        if value not in self.held:
            self.moved[op] += 1
            self.held.add(value)
            self.most = max(self.most, len(self.held))
            assert len(self.held) <= self.room, "the scratchpad is too small for this order"

    def store(self, op: Op, number: int = 1) -> None:
        """Write results, which leave the chip."""
        self.moved[op] += number

    def drop(self, tensor: str | None = None) -> None:
        """Make room: of one tensor, or of all."""
        if tensor is None:
            self.held.clear()
        else:
            self.held = {value for value in self.held if value[0] != tensor}


def multiply(
    pad: Scratchpad,
    rows: int,
    inner: int,
    columns: int,
    *,
    tile: int,
    reads: tuple[Op, Op] = (Op.ACTIVATION_READ, Op.WEIGHT_READ),
) -> None:
    """C = A B tile by tile of C, with the strips of A and of B that it takes on the chip.

    What is loaded for one strip of A stays while all strips of B pass.
    """
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            for i, j in product(part(top, tile, rows), part(left, tile, columns)):
                for k in range(inner):
                    pad.load(reads[0], ("A", i, k))
                    pad.load(reads[1], ("B", k, j))
                pad.store(Op.ACTIVATION_WRITE)
            pad.drop("B")
        pad.drop("A")


def hold_all_of_a(pad: Scratchpad, rows: int, inner: int, columns: int) -> None:
    """C = A B with all of A on the chip, while the columns of B pass one by one."""
    for j in range(columns):
        for i, k in product(range(rows), range(inner)):
            pad.load(Op.ACTIVATION_READ, ("A", i, k))
            pad.load(Op.WEIGHT_READ, ("B", k, j))
        pad.store(Op.ACTIVATION_WRITE, rows)
        pad.drop("B")
    pad.drop()


def part(start: int, tile: int, end: int) -> range:
    return range(start, min(start + tile, end))
