"""Words of a closed list, each with what it means."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Defined(StrEnum):
    """A word, written as `NAME = "word", "its definition in one sentence"`."""

    _value_: str
    definition: str

    def __new__(cls, word: str, definition: str = "") -> Self:
        """A member that is its word, and knows its definition."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.definition = definition
        return member
