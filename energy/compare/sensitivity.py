"""How far a saving can be trusted: which constant of the hardware moves it, and how far all do.

Constants are factors of terms of the bill (`energy.compare.terms`); assumptions such as a capacity
are not, and for them the bill is made again (`energy.compare.structure`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.bill.estimate import Estimate
from energy.bill.saving import Saving, saving
from energy.compare.drawn import assumptions, drawn_energies
from energy.compare.ranges import UncertainConstant
from energy.compare.structure import key_of, placed
from energy.compare.terms import Model
from hwmodels.errors import UserError

#: Draws that are held in memory at a time, each of all constants.
MOST_SAMPLES = 10**6
#: The ends of an interval, in percent of the samples.
PERCENTILES = (5, 50, 95)

SAMPLES = 10_000


class SensitivityError(UserError, ValueError):
    """A sensitivity that cannot be computed."""


@dataclass(frozen=True)
class Swing:
    """What one constant does to a saving."""

    constant: UncertainConstant
    #: what it contributes to the energy of the analog variant, in picojoules; 0 of an assumption
    asa_pj: float
    ssa_pj: float  #: what it contributes to that of the spiking variant, likewise
    at_low: float  #: the saving with the constant at the low end of its range, all others nominal
    at_high: float  #: the saving with it at the high end

    @property
    def span(self) -> float:
        """How far apart both ends are.

        Between them a saving rises or falls with a constant; with an assumption, such as a
        capacity, it may do both.
        """
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
    swings: bool = True,
) -> Sensitivity:
    """What moves a saving, and where it lies.

    Constants are drawn independently of each other, log-uniformly over their ranges. Numbers from
    one figure are in truth off together: a factor that all constants share cancels in a saving, so
    the interval is wider than it need be. Assumptions that are no factor of an energy (capacities,
    reuse of fetches, accumulators, encoding: `structure.choices_of`) are drawn for
    `drawn.MACHINES` machines, stratified, and the samples are spread over these.

    Args:
        asa: Bill of the analog variant.
        ssa: Bill of the spiking variant; the constants of both are the same where the profiles are.
        accounting: One of `ACCOUNTINGS`, or `full`.
        block: Only this block; None for all, and static energy where it is known.
        samples: How many draws of all constants.
        swings: Whether to find what each constant does; else there are none.
        seed: Of the draws; draws do not depend on accounting or block.

    Raises:
        SensitivityError: If `samples` or `seed` is out of range.
    """
    if samples < 1 or seed < 0:
        name, value, least = ("samples", samples, 1) if samples < 1 else ("seed", seed, 0)
        raise SensitivityError(f"{name} (= {value}) must be at least {least}")
    if samples > MOST_SAMPLES:
        raise SensitivityError(f"samples (= {samples:,}) may be at most {MOST_SAMPLES:,}; lower it")
    asa, ssa = asa.under(accounting), ssa.under(accounting)
    # Tables of a run ask for the same ones several times.
    key = "sensitivity", id(ssa), accounting, block, samples, seed, swings
    if key not in asa.answers:
        asa.answers[key] = ssa, _found(asa, ssa, accounting, block, samples, seed, swings)
    found: Sensitivity = asa.answers[key][1]
    return found


def _found(
    asa: Estimate,
    ssa: Estimate,
    accounting: str,
    block: str | None,
    samples: int,
    seed: int,
    swings: bool,
) -> Sensitivity:
    nominal = saving(asa, ssa, accounting, block=block)
    if nominal.saving is None:
        return Sensitivity(nominal, (), None)
    found = _swings(asa, ssa, accounting, block) if swings else []
    analog, spiking = drawn_energies(asa, ssa, accounting, block, samples, seed)
    drawn = 1 - spiking / analog
    low, median, high = (float(x) for x in np.percentile(drawn, PERCENTILES))
    return Sensitivity(
        nominal,
        tuple(sorted(found, key=lambda swing: -swing.span)),
        Interval(low, median, high, float(np.mean(drawn > 0)), samples, seed),
    )


def _swings(asa: Estimate, ssa: Estimate, accounting: str, block: str | None) -> list[Swing]:
    """What each constant does, and each assumption: the bill is made again at both of its ends."""
    model = Model(asa, ssa, accounting, block)
    lows, highs = model.ranges
    ends = model.savings(np.concatenate([np.diag(lows), np.diag(highs)])).reshape(2, -1)
    found = [
        Swing(constant, *map(float, pj), *map(float, saved))
        for constant, pj, saved in zip(model.constants, model.involving().T, ends.T, strict=True)
    ]
    for constant in assumptions(asa, ssa, accounting):
        low, high = (
            _saved(placed(asa, at), placed(ssa, at), accounting, block)
            for at in ({key_of(constant): 0.0}, {key_of(constant): 1.0})
        )
        found.append(Swing(constant, 0.0, 0.0, low, high))
    return found


def _saved(asa: Estimate, ssa: Estimate, accounting: str, block: str | None) -> float:
    found = saving(asa, ssa, accounting, block=block).saving
    assert found is not None  # an assumption takes no price away
    return found
