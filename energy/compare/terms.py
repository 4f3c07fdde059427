"""Two bills, taken apart into terms: energies, and the constants that each is proportional to.

Energy is a sum of terms, each a product of constants of the profile or of their inverses. So the
bill is taken apart once, into its terms at nominal constants, and each question after that is
arithmetic on a short vector: no layer is priced again.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from energy.bill.estimate import Estimate
from energy.compare.ranges import UncertainConstant, constants_of
from hwmodels import Op

Floats = NDArray[np.float64]


class Model:
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

    @property
    def ranges(self) -> Floats:
        """Logarithms of the lowest and highest multiples of the constants, (2, constants)."""
        ends = [[c.low, c.high] for c in self.constants]
        return np.asarray(np.log(np.array(ends).reshape(-1, 2)).T)

    def involving(self) -> Floats:
        """Energy of the terms that follow a constant, in picojoules, (sides, constants)."""
        return self._pj @ np.abs(self._powers)

    def energies(self, logarithms: Floats) -> Floats:
        """Picojoules at multiples of the constants, (sides, cases).

        The multiples are given as their logarithms, (cases, constants).
        """
        multiples = np.exp(logarithms @ self._powers.T)
        # Not a matrix product, which may add the terms of two equal rows in different orders.
        return np.stack([(multiples * side).sum(axis=1) for side in self._pj])

    def savings(self, logarithms: Floats) -> Floats:
        """Savings at such multiples, (cases,)."""
        asa, ssa = self.energies(logarithms)
        return np.asarray(1 - ssa / asa)


#: The constants that an energy is proportional (1) or inversely proportional (-1) to.
_Term = tuple[tuple[UncertainConstant, int], ...]


def _terms(bill: Estimate, accounting: str, block: str | None, static: bool) -> dict[_Term, float]:
    """Energy in picojoules by the constants it follows; what another price includes has none."""
    constants = {constant.name: constant for constant in constants_of(bill.profile)}
    energies: defaultdict[_Term, float] = defaultdict(float)
    for name, pj in _dynamic(bill, accounting, block).items():
        energies[((constants[name], 1),)] += pj
    if accounting != "compute" and static and bill.static_pj:
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
    everything = accounting != "compute"
    priced = {op: bill.profile.priced_as(op) for op in Op if everything or op.group == "compute"}
    names = {op: f"prices.{as_}" for op, as_ in priced.items() if as_ in bill.profile.prices}
    if everything:
        names[Op.DELIVERY] = "delivery"
    rows = bill.counts.columns.within(block, None)
    found: defaultdict[str, float] = defaultdict(float)
    for op, pj in bill.priced.pj.items():
        if op in names:
            found[names[op]] += sum(pj[rows].tolist())
    for level, pj in bill.priced.level_pj.items() if everything else ():
        found[f"memory.{level}"] += sum(pj[rows].tolist())
    return found
