"""One input: a command line, the files it meets, and what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

#: Files by their path from where the command runs.
Files = dict[str, bytes]
Value = TypeVar("Value")
#: Makes another value of one, and says what it did.
Change = Callable[[Random, Value], tuple[Value, str]]
#: Why no valid input can look so, and what makes a valid one look so.
Fault = tuple[str, Callable[[Random, Value], Value]]


@dataclass
class Case:
    """What a command is given."""

    words: list[str]  #: the command line
    files: Files
    changes: dict[int, str] = field(default_factory=dict)  #: what differs from a valid input
    nonsense: str = ""  #: why it must not end with 0, where that is known
    valid: bool = False  #: whether it must end with 0


class Draw(Random):
    """What is drawn for one case, all of it decided by its key.

    An input is valid, or is nonsense by one known fault, or has a few changes of which nobody knows
    what they do. Each of those changes is drawn for itself, so that one can be left out while the
    others stay, which is how a failure is shrunk.
    """

    def __init__(self, key: str, without: Collection[int] = ()) -> None:
        super().__init__(key)
        self.key, self.without = key, without
        self.mode = self.choices(("valid", "nonsense", "changed"), (1, 4, 15))[0]
        self.number = 0
        self.changes: dict[int, str] = {}
        self.nonsense = ""

    def changed(self, value: Value, *hows: Change[Value]) -> Value:
        """The value after a few changes, each made in one of these ways."""
        if self.mode != "changed" or self.nonsense:
            return value
        for _ in range(self.choices((1, 2, 3, 6), (6, 3, 2, 1))[0]):
            how, self.number = self.choice(hows), self.number + 1
            if self.number not in self.without:
                value, said = how(Random(f"{self.key}/{self.number}"), value)
                self.changes[self.number] = said
        return value

    def spoilt(self, value: Value, faults: Sequence[Fault[Value]]) -> Value:
        """The value with one of these faults, if this case is to be nonsense and is not yet."""
        if self.mode != "nonsense" or self.nonsense:
            return value
        self.nonsense, spoil = self.choice(faults)
        return spoil(self, value)

    def delimiter(self) -> str:
        """What stands between the cells of a table; seldom another character than usual."""
        if self.mode != "changed" or self.random() < 0.9:
            return ","
        self.changes[0] = "another delimiter"
        return self.choice(";\t|")

    def case(self, words: Sequence[str], files: Files, *, valid: bool = True) -> Case:
        """The case; `valid` says whether it must end with 0 where nothing was changed."""
        untouched = valid and not self.changes and not self.nonsense
        return Case(list(words), files, self.changes, self.nonsense, untouched)
