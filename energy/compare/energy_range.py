"""How far the energy of one bill can be trusted, and on what grounds its prices stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from energy.bill.estimate import Estimate
from energy.bill.layer import known_pj, relevant_ops
from energy.compare.drawn import drawn_energies
from energy.compare.ranges import UncertainConstant
from energy.compare.sensitivity import PERCENTILES, SAMPLES
from energy.compare.terms import Model
from hwmodels import Evidence

#: A constant that carries less of the energy than this does not move an interval to one side.
LEAST_LEAN = 0.1
#: A grade whose prices carry less of the energy than this does not decide how far to trust it.
LEAST_SHARE = 0.01


def weakest_of(grades: Mapping[Evidence, float]) -> Evidence:
    """The weakest grade that carries at least `LEAST_SHARE` of an energy, by the share of each."""
    order = list(Evidence)
    return max((g for g, x in grades.items() if x >= LEAST_SHARE), key=order.index)


@dataclass(frozen=True)
class EnergyRange:
    """The energy of a bill, and where it lies if each constant may be anywhere in its range."""

    nominal_pj: float  #: at the constants of the profile, in picojoules
    low_pj: float  #: 5 % of the samples cost less
    high_pj: float  #: 5 % cost more
    #: share of the energy by the grade of the constant that it is proportional to
    grades: Mapping[Evidence, float]
    #: constants that carry `LEAST_LEAN` of the energy and stand at the low end of their range
    lowest: tuple[str, ...] = ()
    highest: tuple[str, ...] = ()  #: the same of the high end

    @property
    def leans(self) -> str:
        """Why the interval lies to one side of the energy, in words; empty where it does not."""
        outside = not self.low_pj <= self.nominal_pj <= self.high_pj
        how = "wholly" if outside else "mostly"
        return ", and ".join(
            f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} at the {end} end of what "
            f"sources say, so that the interval lies {how} {side} the figure"
            for names, end, side in ((self.lowest, "low", "above"), (self.highest, "high", "below"))
            if names
        )

    @property
    def weakest(self) -> Evidence:
        """The weakest grade that carries at least `LEAST_SHARE` of the energy."""
        return weakest_of(self.grades)


def energy_range(
    bill: Estimate, accounting: str = "full", *, samples: int = SAMPLES, seed: int = 0
) -> EnergyRange | None:
    """The energy of the whole model, its interval, and the grades of evidence behind it.

    Constants and assumptions are drawn as `sensitivity` draws them. A nominal value at one end of
    its range moves the interval away from the nominal energy, which may then lie outside of it:
    `EnergyRange.leans` says so.

    Args:
        bill: Of one variant.
        accounting: One of `ACCOUNTINGS`, or `full`; static energy takes part where it is known.
        samples: How many draws.
        seed: Of the draws.

    Returns:
        None where a MAC or an AC has no price, or nothing costs anything.
    """
    bill = bill.under(accounting)
    missing = frozenset(bill.unpriced).intersection(relevant_ops(accounting))
    nominal = known_pj(bill.energy_pj(accounting), missing)
    if not nominal:
        return None
    [drawn, _] = drawn_energies(bill, bill, accounting, None, samples, seed)
    low, high = (float(x) for x in np.percentile(drawn, (PERCENTILES[0], PERCENTILES[-1])))
    shares = _shares(bill, accounting)
    heavy = [constant for constant, share in shares.items() if share >= LEAST_LEAN]
    return EnergyRange(
        nominal,
        low,
        high,
        _grades(shares),
        tuple(it.name for it in heavy if it.low >= 1 < it.high),
        tuple(it.name for it in heavy if it.low < 1 >= it.high),
    )


def _shares(bill: Estimate, accounting: str) -> dict[UncertainConstant, float]:
    """Share of the energy by constant; static energy counts by the power, and by each rate."""
    model = Model(bill, bill, accounting, None)
    [carried, _] = model.involving()
    found = dict(zip(model.constants, carried.tolist(), strict=True))
    whole = sum(found.values())
    return {constant: pj / whole for constant, pj in found.items() if pj}


def _grades(shares: Mapping[UncertainConstant, float]) -> dict[Evidence, float]:
    """The same by grade."""
    sums: dict[Evidence, float] = {}
    for constant, share in shares.items():
        sums[constant.evidence] = sums.get(constant.evidence, 0.0) + share
    return {grade: sums[grade] for grade in Evidence if grade in sums}
