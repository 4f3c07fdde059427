"""The break-evens of a model, a layer or a run."""

from __future__ import annotations

from dataclasses import dataclass

from energy import Estimate
from energy.compare.breakeven import BreakEven


@dataclass(frozen=True)
class Case:
    """The break-evens of one model, layer or run on one piece of hardware.

    Attributes:
        title: What it is.
        measured: Whether the events are those of a run; otherwise they are 1 per slot.
        asa: Bill of the analog side.
        ssa: Bill of the spiking side with events.
        breakevens: Both accountings of each part.
    """

    title: str
    measured: bool
    asa: Estimate
    ssa: Estimate
    breakevens: tuple[BreakEven, ...]

    def by_part(self) -> list[dict[str, BreakEven]]:
        """The accountings of each part, in order."""
        parts: dict[str, dict[str, BreakEven]] = {}
        for line in self.breakevens:
            parts.setdefault(line.part.name, {})[line.accounting] = line
        return list(parts.values())


def mark(line: BreakEven) -> str:
    """Whether measured events are below or above the break-even; nothing where no price tells."""
    return {True: "below (saves)", False: "above (costs)", None: ""}[line.busy_saves]


def margin(line: BreakEven) -> float | None:
    """Share by which measured events may grow, or must shrink, to stand at the break-even."""
    return None if line.share is None else line.share - 1
