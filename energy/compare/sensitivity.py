"""How far a saving can be trusted: which constant of the hardware moves it, and how far all do.

Energy is a sum of terms, each a product of constants of the profile or of their inverses. So the
bill is taken apart once, into its terms at nominal constants, and each question after that is
arithmetic on a short vector: no layer is priced again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.bill.estimate import Estimate
from energy.bill.layer import relevant_ops
from energy.bill.saving import Saving, saving
from energy.compare.ranges import UncertainConstant, constants_of
from hwmodels.errors import UserError

#: Draws that are held in memory at a time, each of all constants.
MOST_SAMPLES = 10**6
#: The ends of an interval, in percent of the samples.
PERCENTILES = (5, 50, 95)

SAMPLES = 10_000

Floats = NDArray[np.float64]


class SensitivityError(UserError, ValueError):
    """A sensitivity that cannot be computed."""


@dataclass(frozen=True)
class Swing:
    """What one constant does to a saving."""

    constant: UncertainConstant
    asa_pj: float  #: what it contributes to the energy of the analog variant, in picojoules
    ssa_pj: float  #: what it contributes to that of the spiking variant, in picojoules
    at_low: float  #: the saving with the constant at the low end of its range, all others nominal
    at_high: float  #: the saving with it at the high end

    @property
    def span(self) -> float:
        """How far it moves the saving; a saving rises or falls throughout the range."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True)
class Interval:
    """Where a saving lies if each constant may be anywhere in its range.

    A nominal value at one end of its range (DRAM: "1.3 to 2.6 nJ", charged as 1.3) moves the
    median away from the nominal saving, which may then lie outside of the interval.
    """

    low: float  #: 5 % of the samples save less
    median: float  #: half of them save less
    high: float  #: 5 % save more
    cheaper: float  #: share of the samples in which the spiking variant costs less
    samples: int  #: how many
    seed: int  #: of the generator (`numpy.random.default_rng`)


@dataclass(frozen=True)
class Sensitivity:
    """What is known about one saving."""

    nominal: Saving  #: the saving at the constants of the profile
    #: one per constant, the one that moves the saving most first; none where a MAC or an AC has no
    #: price, so that there is no saving
    swings: tuple[Swing, ...]
    interval: Interval | None  #: where the saving lies; None likewise


def sensitivity(
    asa: Estimate,
    ssa: Estimate,
    accounting: str = "full",
    *,
    block: str | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Sensitivity:
    """What moves a saving, and where it lies.

    Constants are drawn independently of each other, log-uniformly over their ranges. Numbers from
    one figure are in truth off together: a factor that all constants share cancels in a saving, so
    the interval is wider than it need be.

    Args:
        asa: Bill of the analog variant.
        ssa: Bill of the spiking variant; the constants of both are the same where the profiles are.
        accounting: `compute` or `full`.
        block: Only this block; None for all, and static energy where it is known.
        samples: How many draws of all constants.
        seed: Of the draws; draws do not depend on accounting or block.

    Raises:
        SensitivityError: If `samples` or `seed` is out of range.
    """
    if samples < 1 or seed < 0:
        name, value, least = ("samples", samples, 1) if samples < 1 else ("seed", seed, 0)
        raise SensitivityError(f"{name} (= {value}) must be at least {least}")
    if samples > MOST_SAMPLES:
        raise SensitivityError(f"samples (= {samples:,}) may be at most {MOST_SAMPLES:,}; lower it")
    nominal = saving(asa, ssa, accounting, block=block)
    if nominal.saving is None:
        return Sensitivity(nominal, (), None)
    model = _Model(asa, ssa, accounting, block)
    lows, highs = np.log([[c.low, c.high] for c in model.constants]).T
    ends = model.savings(np.concatenate([np.diag(lows), np.diag(highs)])).reshape(2, -1)
    swings = [
        Swing(constant, *map(float, pj), *map(float, saved))
        for constant, pj, saved in zip(model.constants, model.involving().T, ends.T, strict=True)
    ]
    share = np.random.default_rng(seed).random((samples, len(model.constants)))
    drawn = model.savings(lows + share * (highs - lows))
    low, median, high = (float(x) for x in np.percentile(drawn, PERCENTILES))
    return Sensitivity(
        nominal,
        tuple(sorted(swings, key=lambda swing: -swing.span)),
        Interval(low, median, high, float(np.mean(drawn > 0)), samples, seed),
    )


class _Model:
    """The two bills, taken apart into terms."""

    def __init__(self, asa: Estimate, ssa: Estimate, accounting: str, block: str | None) -> None:
        # As in `saving`: static energy takes part where it is known of both sides.
        static = block is None and None not in (asa.static_pj, ssa.static_pj)
        sides = [_terms(side, accounting, block, static) for side in (asa, ssa)]
        of_both = (c for side in (asa, ssa) for c in constants_of(side.profile))
        self.constants = tuple(dict.fromkeys(of_both))
        terms = list(sides[0] | sides[1])
        #: Energy of each term at nominal constants in picojoules, (sides, terms).
        self._pj = np.array([[side.get(term, 0.0) for term in terms] for side in sides])
        #: How a term follows a constant, (terms, constants): 1, -1, or 0 where it does not.
        powers = [float(dict(term).get(c, 0)) for term in terms for c in self.constants]
        self._powers: Floats = np.array(powers).reshape(len(terms), len(self.constants))

    def involving(self) -> Floats:
        """Energy of the terms that follow a constant, in picojoules, (sides, constants)."""
        return self._pj @ np.abs(self._powers)

    def savings(self, logarithms: Floats) -> Floats:
        """Savings at multiples of the constants, given as their logarithms, (cases, constants)."""
        multiples = np.exp(logarithms @ self._powers.T)
        # Not a matrix product, which may add the terms of two equal rows in different orders.
        asa, ssa = ((multiples * side).sum(axis=1) for side in self._pj)
        return np.asarray(1 - ssa / asa)


#: The constants that an energy is proportional (1) or inversely proportional (-1) to.
_Term = tuple[tuple[UncertainConstant, int], ...]


def _terms(bill: Estimate, accounting: str, block: str | None, static: bool) -> dict[_Term, float]:
    """Energy in picojoules by the constants it follows; what another price includes has none."""
    constants = {constant.name: constant for constant in constants_of(bill.profile)}
    energies: defaultdict[_Term, float] = defaultdict(float)
    for name, pj in _dynamic(bill, accounting, block).items():
        energies[((constants[name], 1),)] += pj
    if accounting == "full" and static and bill.static_pj:
        power = (constants["static_power"], 1)
        busy = {
            op: bill.counts.total(op) / r.per_second for op, r in bill.profile.throughput.items()
        }
        seconds = math.fsum(busy.values())
        if bill.latency_s is not None and math.isclose(seconds, bill.latency_s):
            for op, its in busy.items():
                term = (power, (constants[f"throughput.{op}"], -1))
                energies[term] += bill.static_pj * its / seconds
        else:  # a latency that was given follows from no constant
            energies[(power,)] += bill.static_pj
    return energies


def _dynamic(bill: Estimate, accounting: str, block: str | None) -> dict[str, float]:
    """Energy of operations and memory levels in picojoules, by the name of its constant."""
    charged = set(relevant_ops(accounting)).intersection(bill.profile.prices)
    energies: defaultdict[tuple[str, str], float] = defaultdict(float)
    for layer in bill.within(block):
        for op, pj in layer.pj.items():
            if op in charged:
                energies["prices", op] += pj
        if accounting == "full":
            for level, pj in layer.level_pj.items():
                energies["memory", level] += pj
    return {f"{table}.{name}": pj for (table, name), pj in energies.items()}
