"""What the spiking variant saves: two bills side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from energy.bill.estimate import COMPUTE, Estimate
from hwmodels import Op

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Saving:
    """What the spiking variant saves in one part of the model.

    Attributes:
        block: Block, or `total`.
        component: Component, or `total` of the block.
        accounting: `compute` or `full`.
        asa_pj: Energy of the analog variant in picojoules; None where a MAC or AC is unpriced.
        ssa_pj: Energy of the spiking variant in picojoules; None likewise.
        unpriced: Operations of either side that have no price and are therefore missing.
    """

    block: str
    component: str
    accounting: str
    asa_pj: float | None
    ssa_pj: float | None
    unpriced: tuple[Op, ...]

    @property
    def saving(self) -> float | None:
        """1 - SSA / ASA; None where a side is unpriced or the analog part costs nothing."""
        if self.asa_pj is None or self.ssa_pj is None or self.asa_pj == 0:
            return None
        return 1 - self.ssa_pj / self.asa_pj

    def to_frame(self) -> DataFrame:
        """One row; see `energy.frames.saving_frame`."""
        from energy.frames import saving_frame

        return saving_frame([self])

    def _repr_html_(self) -> str:
        from energy.frames import saving_html

        return saving_html(self)


def saving(
    asa: Estimate,
    ssa: Estimate,
    accounting: str = "compute",
    *,
    block: str | None = None,
    component: str | None = None,
) -> Saving:
    """Compare the two variants in one part of the model.

    A part whose MACs or ACs have no price has no energy: the comparison would be between what
    happens to be priced. Other operations without a price are named in `unpriced`. Static energy
    takes part in the whole model where it is known of both sides.

    Args:
        asa: Bill of the analog variant.
        ssa: Bill of the spiking variant.
        accounting: `compute` or `full`.
        block: Only this block; None for all.
        component: Only this component; None for all.
    """
    parts = [side.counts.only(block=block, component=component) for side in (asa, ssa)]
    missing = [
        {op for op in Op if part.total(op) and not side.profile.is_priced(op)}
        for side, part in zip((asa, ssa), parts, strict=True)
    ]
    if asa.static_pj is None or ssa.static_pj is None:
        asa, ssa = (replace(side, latency_s=None) for side in (asa, ssa))
    energies = [
        None if lacks & COMPUTE else side.energy_pj(accounting, block=block, component=component)
        for side, lacks in zip((asa, ssa), missing, strict=True)
    ]
    relevant = (op for op in Op if accounting == "full" or op.group == "compute")
    return Saving(
        block or "total",
        component or "total",
        accounting,
        energies[0],
        energies[1],
        tuple(op for op in relevant if op in missing[0] | missing[1]),
    )
