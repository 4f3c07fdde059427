"""What the spiking variant saves: two bills side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from energy.bill.estimate import Estimate
from energy.bill.layer import known_pj, relevant_ops
from energy.table import Column, Table, at, attributes
from energy.words import energy, op_names, percent
from hwmodels import Op
from hwmodels.given import check_kind

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Saving:
    """What the spiking variant saves in one part of the model."""

    block: str  #: block, or `total`
    component: str  #: component, or `total` of the block
    accounting: str  #: `compute`, `fused`, `unfused`, or `full`: the bound of the profile
    #: energy of the analog variant in picojoules; None where a MAC or AC is unpriced, or all is
    asa_pj: float | None
    ssa_pj: float | None  #: energy of the spiking variant in picojoules; None likewise
    #: operations of either side that have no price and are therefore missing
    unpriced: tuple[Op, ...]

    @property
    def saving(self) -> float | None:
        """1 - SSA / ASA; None where a side is unpriced or the analog part costs nothing."""
        if self.asa_pj is None or self.ssa_pj is None or self.asa_pj == 0:
            return None
        return 1 - self.ssa_pj / self.asa_pj

    def to_frame(self) -> DataFrame:
        """One row with the columns of `SAVING_COLUMNS`."""
        return Table(SAVING_COLUMNS, [self]).to_frame()

    def _repr_html_(self) -> str:
        missing = f"; without a price: {op_names(self.unpriced)}" if self.unpriced else ""
        return Table(_PEOPLE, [self], f"{self.accounting} energy{missing}").to_html()


#: Columns of a frame of savings.
SAVING_COLUMNS: tuple[Column[Saving], ...] = (
    *attributes("", "block", "component", "accounting"),
    *(Column(name, at(name), dtype="float64") for name in ("asa_pj", "ssa_pj", "saving")),
    Column("unpriced", lambda saving: op_names(saving.unpriced)),
)

_PEOPLE: tuple[Column[Saving], ...] = (
    Column("part", lambda x: f"{x.block} {x.component}".removesuffix(" total"), "part", words=True),
    Column("analog", lambda x: energy(x.asa_pj), "analog"),
    Column("spiking", lambda x: energy(x.ssa_pj), "spiking"),
    Column("saved", at("saving"), "saved", percent),
)


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
    happens to be priced. Nor has one of which nothing has a price. Other operations without a price
    are named in `unpriced`. Static energy
    takes part in the whole model (no block, no component) where it is known of both sides.
    """
    for name, bill in (("asa", asa), ("ssa", ssa)):
        check_kind(name, bill, Estimate, "`energy.estimate` makes one of counts and a profile")
    asa, ssa = asa.under(accounting), ssa.under(accounting)
    if asa.static_pj is None or ssa.static_pj is None:
        asa, ssa = asa.without_latency, ssa.without_latency
    (asa_pj, asa_lacks), (ssa_pj, ssa_lacks) = (
        _side(bill, accounting, block, component) for bill in (asa, ssa)
    )
    return Saving(
        block or "total",
        component or "total",
        accounting,
        asa_pj,
        ssa_pj,
        tuple(op for op in relevant_ops(accounting) if op in asa_lacks | ssa_lacks),
    )


def _side(
    bill: Estimate, accounting: str, block: str | None, component: str | None
) -> tuple[float | None, frozenset[Op]]:
    """Energy of a part in picojoules, None where it is not known; and what has no price."""
    lacks = bill.counted(block, component).intersection(bill.unpriced)
    pj = bill.energy_pj(accounting, block=block, component=component)
    # MACs and ACs are part of every accounting.
    return known_pj(pj, lacks.intersection(relevant_ops(accounting))), lacks
