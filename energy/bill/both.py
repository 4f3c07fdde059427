"""What two bills that stand beside each other are on: one machine, or two."""

from __future__ import annotations

from energy.bill.estimate import Estimate
from hwmodels.pair import Machine, beside


def machine_of(asa: Estimate, ssa: Estimate) -> Machine:
    """The machine, or the pair of them, on which two bills stand."""
    return beside(asa.profile, ssa.profile)


def dataflow_of(asa: Estimate, ssa: Estimate) -> str:
    """How often operands move: once where both sides do the same, else as `ASA / SSA`."""
    return " / ".join(dict.fromkeys(str(bill.dataflow) for bill in (asa, ssa)))
