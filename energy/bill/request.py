"""The bill of a request: of several phases, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from energy.bill.estimate import Estimate, estimate
from energy.bill.given import check_phases
from energy.counts import Counts
from hwmodels import Dataflow, HardwareProfile


def bill_of(
    phases: Sequence[Counts],
    profile: HardwareProfile,
    *,
    dataflow: Dataflow | None = None,
    latency_s: float | None = None,
) -> Estimate:
    """The bill of one or more phases of a variant: each lives in the memory that it needs.

    Dataflow and latency as in `estimate`; the latency is that of all phases together.

    Raises:
        ValueError: If they are not of one model, counted in the same way.
    """
    check_phases(phases)
    return sum_of([estimate(phase, profile, dataflow=dataflow) for phase in phases], latency_s)


def sum_of(bills: Sequence[Estimate], latency_s: float | None = None) -> Estimate:
    """The sum of the bills of several phases; see `bill_of`."""
    total = reduce(add, bills)
    return total if latency_s is None else total.lasting(latency_s)
