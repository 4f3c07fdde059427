"""Measured figures of whole systems: shown beside a bill, never part of it."""

from __future__ import annotations

from enum import StrEnum

from hwmodels.defined import Defined
from hwmodels.prices import Cited, Figure, Sentence, Sequences, Word


class Boundary(Defined):
    """What a measured energy has inside; see the definition of each."""

    DYNAMIC = "dynamic", "what the load adds to the power of the idle chips"
    CHIP = "chip", "all that the chips or boards draw, idle or not, memory on them included"
    TOTAL = "total", "all that the system is said to draw, idle or not, where the meter is unnamed"
    WALL = "wall", "at the socket, with host, power supplies and fans"
    UNSAID = "unsaid", "the source, as read by this project, does not say"


class Phase(StrEnum):
    """What a token is, among which the energy is shared."""

    PREFILL = "prefill"
    DECODE = "decode"
    REQUEST = "request"


#: How many of a unit of energy per token are a joule per token; two characters write a micro.
_PER_JOULE = {"J/token": 1.0, "mJ/token": 1e3, "\u00b5J/token": 1e6, "\u03bcJ/token": 1e6}


class SystemFigure(Cited):
    """A measured figure of a whole system, shown for comparison and never part of a bill.

    Attributes:
        what: What was measured, with model and batch.
        value: The figure.
        unit: Its unit, for example `mJ/token`.
        model: The model that ran, as short as a table needs it.
        phase: `prefill` or `decode`, per token of it, or `request`: all of it, per generated token.
        batch: Sequences side by side, on average; None where unknown.
        tokens_per_second: How fast the whole system was; None where unknown.
        boundary: What the figure has inside.
    """

    what: Sentence
    value: Figure
    unit: Word
    model: Word | None = None
    phase: Phase | None = None
    batch: Sequences | None = None
    tokens_per_second: Figure | None = None
    boundary: Boundary = Boundary.UNSAID

    @property
    def joules_per_token(self) -> float | None:
        """The figure in joules per token; None where it is of another kind."""
        scale = _PER_JOULE.get(self.unit)
        return None if scale is None else self.value / scale
