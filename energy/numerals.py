"""Numbers as people and other tools write them in tables; what is ambiguous is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

#: The largest number that a table may hold; an exaflop machine takes 30,000 years for so many
#: operations.
MAX_NUMBER = 10**30
#: The largest number of time steps: spiking models have up to some thousands.
MAX_TIMESTEPS = 10**5
#: Characters of the longest number that is read.
_LONGEST = 60

_PLAIN = re.compile(r"(?:\d+(\.\d*)?|(\.\d+))(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_SUFFIXED = re.compile(r"([\d.,]+) ?([kKMGT])(?: ?(?i:macs?))?", re.ASCII)
#: Digits in threes with one kind of mark between them, and perhaps another before a fraction.
_GROUPED = re.compile(
    r"([1-9]\d{0,2})((['\u2019 \u00a0\u2009\u202f.,])\d{3}(?:\3\d{3})*)(?:([.,])(\d+))?"
)
_COMMA = re.compile(r"(\d+),(\d+)", re.ASCII)
_POWERS = {"k": 3, "K": 3, "M": 6, "G": 9, "T": 12}


class NumeralError(ValueError):
    """A text that is no number, or may be two; its sentence goes on after the value."""


@dataclass
class Numerals:
    """Reads the numbers of one table, and knows afterwards in which forms they were written.

    A number is a plain one (`12`, `0.5`, `2.3e9`), one in groups of three (`1,000,000`,
    `1 000 000`, `1'000`), or one with a suffix (`2.75G`, `12 k`, `4.1 GMac`).
    """

    #: whether cells are parted by something else than commas, so that `1,5` may be 1.5
    commas: bool = False
    #: an example of each form that is not plain, with what it was taken for
    forms: dict[str, str] = field(default_factory=dict)
    rounded: bool = False  #: whether some may have fewer digits than what was counted
    #: what a comma or a point was found to part: thousands, or a fraction
    _marks: dict[str, str] = field(default_factory=dict)

    def read(self, text: str, *, suffixes: bool = True) -> float:
        """The number that a text without blanks around it says; whole if it can be.

        Args:
            text: The text.
            suffixes: Whether `12k` is 12,000. It is none of bytes, where k is 1,000 or 1,024.

        Raises:
            NumeralError: If it is none, ambiguous, negative, or above `MAX_NUMBER`.
        """
        value = None if len(text) > _LONGEST else self._value(text, suffixes)
        if value is None:
            if text.startswith("-") and _PLAIN.fullmatch(text[1:]):
                raise NumeralError("must not be negative")
            raise NumeralError("must be a number, such as 1200, 1.2e3 or 1,200,000")
        if value > MAX_NUMBER:
            raise NumeralError("must be at most 1e30: no machine does more")
        return int(value) if value == value.to_integral_value() else float(value)

    def said(self) -> list[str]:
        """How numbers that are not plain were read, in at most one sentence."""
        return (
            [f"numbers as they were read: {', '.join(self.forms.values())}"] if self.forms else []
        )

    def _value(self, text: str, suffixes: bool) -> Decimal | None:
        if found := _PLAIN.fullmatch(text):
            self.rounded = self.rounded or any(found.groups())
            if found[1] or found[2]:
                self._mark(".", "a fraction")
            return Decimal(text)
        if suffixes and (found := _SUFFIXED.fullmatch(text)):
            noted = dict(self.forms)
            value = self._value(found[1], suffixes=False)
            if value is not None:
                self.forms, self.rounded = noted, True
                return self._note("suffix", text, value.scaleb(_POWERS[found[2]]))
        return self._marked(text)

    def _marked(self, text: str) -> Decimal | None:
        """A number with marks between thousands, or a comma before a fraction."""
        if found := _GROUPED.fullmatch(text):
            head, tail, mark, point, fraction = found.groups()
            digits = (head + tail).replace(mark, "")
            if (
                mark == point
                or (point == "," and not self.commas)
                or not (digits + (fraction or "")).isascii()
            ):
                return None
            if self.commas and mark == "," and len(tail) == 4 and point is None:
                raise NumeralError(f"may be {digits} or {head}.{tail[1:]}; write it without marks")
            self._mark(mark, "thousands")
            if point:
                self.rounded = True
                self._mark(point, "a fraction")
            return self._note("thousands", text, Decimal(f"{digits}.{fraction or 0}"))
        if self.commas and (found := _COMMA.fullmatch(text)):
            self.rounded = True
            self._mark(",", "a fraction")
            return self._note("comma", text, Decimal(f"{found[1]}.{found[2]}"))
        return None

    def _mark(self, mark: str, parts: str) -> None:
        if mark in ".," and self._marks.setdefault(mark, parts) != parts:
            raise NumeralError(
                f"has '{mark}' before {parts}, and other rows have it before {self._marks[mark]}"
            )
        other = "," if mark == "." else "."
        if parts == "a fraction" == self._marks.get(other):
            raise NumeralError(f"has '{mark}' before a fraction, and other rows have '{other}'")

    def _note(self, form: str, text: str, value: Decimal) -> Decimal:
        if form not in self.forms:
            self.forms[form] = f"'{text}' is {value.normalize():,f}"
        return value
