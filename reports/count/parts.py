"""The parts of one model on one hardware: what was counted in each, what it costs, how surely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from energy import Counts, Estimate
from energy.compare.energy_range import EnergyRange, energy_range
from energy.words import energy, unit_of
from hwmodels import Op
from reports.count.run import part_pj
from reports.kit.parts import BOUNDS, scopes


@dataclass(frozen=True)
class PartLine:
    """One part of a model on one hardware; block and component are None for all."""

    bill: Estimate
    block: str | None
    component: str | None

    @cached_property
    def amounts(self) -> tuple[float, float]:
        """See `amounts`."""
        return amounts(self.bill.counts.only(block=self.block, component=self.component))

    def pj(self, accounting: str) -> float | None:
        """Its energy; None where it has no price."""
        return part_pj(self.bill, accounting, self.block, self.component)

    def share(self, accounting: str) -> float | None:
        """Of the energy of the model; None where either is unknown."""
        part, whole = self.pj(accounting), part_pj(self.bill, accounting)
        return part / whole if part is not None and whole else None

    def moved(self, bound: str) -> float | None:
        """Bytes that it moves through memory; None where something of it has no place."""
        bill = self.bill.under(bound)
        counted = bill.counted(self.block, self.component)
        if any(op.buffer and op in counted for op in bill.unpriced):
            return None
        return bill.moved_bytes(self.block, self.component)


def part_lines(bill: Estimate, *, components: bool) -> list[PartLine]:
    """Each block after its components, if they are asked for, and last the model."""
    return [PartLine(bill, *scope) for scope in scopes(bill.counts, components=components)]


def amounts(counts: Counts) -> tuple[float, float]:
    """MACs, and other operations; what moves is neither."""
    other = [op for op in Op if op.is_counted and op is not Op.MAC and op.group != "memory"]
    return counts.total(Op.MAC), counts.total(*other)


def count_ranges(bill: Estimate) -> dict[str, EnergyRange]:
    """Where the energy of the model lies at each bound, if every constant may be off.

    A bound at which a MAC has no price has none.
    """
    found = {bound: energy_range(bill, bound) for bound in BOUNDS}
    return {bound: one for bound, one in found.items() if one is not None}


def range_in_words(bound: str, found: EnergyRange, counts: Counts) -> str:
    """That interval per token, or per sample."""
    low, high = (energy(pj / counts.tokens, 3) for pj in (found.low_pj, found.high_pj))
    return f"{low} to {high} per {unit_of(counts.phase)} {bound}"
