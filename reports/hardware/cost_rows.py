"""The rows of a table of costs, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hwmodels import Evidence
from hwmodels.units import ENERGY_PER_BYTE

DERIVED = Evidence.DERIVED.value


class Row(NamedTuple):
    """One action of one component, as the price of something."""

    line: int  #: in the table
    component: str
    action: str
    key: str  #: the constant that it prices, `prices.mac` or `memory.sram.read`; empty for none
    energy: str  #: with its unit
    source: str  #: who says it
    evidence: str
    capacity_bytes: int | None = None
    off_chip: bool = False
    why: str = ""  #: why it prices nothing, where it could

    @property
    def called(self) -> str:
        """Where it stands, and what it is."""
        return f"line {self.line}: {self.component}, {self.action}"


class Costs(NamedTuple):
    """What a table says."""

    path: Path
    prices: Mapping[str, Row]  #: of operations, by name
    memory: Mapping[str, tuple[Row, Row]]  #: the read and the write of each level
    left_out: tuple[Row, ...]  #: rows that price nothing here
    additions: bool  #: whether an accumulate is taken to be an addition
    shifts: bool  #: whether a shift_ac is taken to be a shift and an accumulate
    chosen: tuple[str, ...] = ()  #: which of several numbers count, a sentence each

    @property
    def homes(self) -> tuple[str, ...]:
        """Levels that buffers may live in: the cheapest first, those beside the chip last.

        A memory on the chip has room for what its capacity says, and so none where it says none.
        """
        found = [
            (read.off_chip, float(ENERGY_PER_BYTE.read(read.energy)), name)
            for name, (read, _) in self.memory.items()
            if read.off_chip or read.capacity_bytes is not None
        ]
        return tuple(name for _, _, name in sorted(found))

    @property
    def homeless(self) -> tuple[str, ...]:
        """Levels on the chip that say no capacity."""
        return tuple(name for name in self.memory if name not in self.homes)
