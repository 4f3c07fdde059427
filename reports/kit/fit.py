"""How wide a table or a picture for a paper may be."""

from __future__ import annotations

from enum import StrEnum


class Fit(StrEnum):
    """How much of a page with two columns a table or a picture may take."""

    ONE = "one"  #: one column, 8.5 cm
    TWO = "two"  #: the whole width of a page, 17.8 cm

    @property
    def cm(self) -> float:
        """That width in centimetres."""
        return 8.5 if self is Fit.ONE else 17.8

    @property
    def inches(self) -> float:
        """The width of a picture: it is drawn in the size in which it is printed."""
        return 3.4 if self is Fit.ONE else 7.0
