"""A reviewer's arithmetic: do the numbers printed about an energy agree with one another?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from energy.literature.claims import Claim, ClaimError
from hwmodels import HardwareProfile, Op, Price

#: Relative difference that is put down to rounding: printed figures have two or three digits.
TOLERANCE = 0.02

#: Beyond, factors that mean something (2 for FLOPs) would be rounding.
MAX_TOLERANCE = 0.25

MJ_PER_PJ = 1e-9


class Fault(StrEnum):
    """What can be wrong with a claim; the value is what a table shows."""

    RATE_TWICE = "spike rate applied twice"
    FLOPS_AS_MACS = "FLOPs priced as MACs"
    OPERATIONS = "operations are not the model's"
    ENERGY = "energy is not price x operations"
    RATIO = "ratio is not that of the energies"
    TIME_ADDED = "time added to an energy"
    PRICE = "price is not the hardware's"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a claim."""

    fault: Fault  #: what kind of thing
    sentence: str  #: the same with its numbers


@dataclass(frozen=True)
class Review:
    """A claim and what was found."""

    claim: Claim
    profile: HardwareProfile  #: the hardware whose prices were taken where the claim names none
    #: faults that were looked for: the claim has the numbers that they need
    checks: tuple[Fault, ...]
    findings: tuple[Finding, ...]  #: those that were found

    @property
    def verdict(self) -> str:
        """`flagged`, `consistent`, or `nothing to check`."""
        if self.findings:
            return "flagged"
        return "consistent" if self.checks else "nothing to check"


def review(claim: Claim, profile: HardwareProfile, *, tolerance: float = TOLERANCE) -> Review:
    """Check one claim against its own arithmetic and against the prices of a profile.

    The profile has prices where the claim names none, and to compare with those that it names;
    the tolerance is the relative difference that is put down to rounding.

    Raises:
        ClaimError: If the tolerance is not between 0 and `MAX_TOLERANCE`.
    """
    if not 0 <= tolerance <= MAX_TOLERANCE:
        raise ClaimError(f"tolerance (= {tolerance}) must be between 0 and {MAX_TOLERANCE}")
    desk = _Desk(claim, profile, tolerance)
    findings = [*desk.ann(), *desk.snn(), *desk.ratio(), *desk.prices()]
    return Review(claim, profile, tuple(dict.fromkeys(desk.checks)), tuple(findings))


@dataclass
class _Desk:
    claim: Claim
    profile: HardwareProfile
    tolerance: float
    checks: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        claimed = self.claim.mac_pj, self.claim.ac_pj
        self.mac_pj, self.ac_pj = (
            self.profile.energy_pj(op) if pj is None else pj
            for pj, op in zip(claimed, (Op.MAC, Op.AC), strict=True)
        )

    def near(self, a: float, b: float) -> bool:
        return math.isclose(a, b, rel_tol=self.tolerance)

    def ann(self) -> Iterator[Finding]:
        """The operations of an ANN are the MACs of the model, and its energy their price."""
        ops, true = self.claim.ann_ops, self.claim.true_macs
        printed, macs = self.claim.ann_energy_mj, true or ops
        if ops is not None and true:
            self.checks.append(Fault.OPERATIONS)
        if printed is None or not self.mac_pj or not macs:
            yield from self._ann_operations(ops, true)
            return
        self.checks += [Fault.ENERGY, Fault.FLOPS_AS_MACS]
        pj, right = self.mac_pj, self.mac_pj * macs * MJ_PER_PJ
        if self.near(printed, right):  # the count may be in FLOPs, if the price is that of MACs
            if ops is not None and not self.near(ops, 2 * macs):
                yield from self._ann_operations(ops, macs)
        elif self.near(printed, 2 * right):
            yield Finding(
                Fault.FLOPS_AS_MACS,
                f"ANN energy {_mj(printed)} charges the {pj:g} pJ of a MAC for each of "
                f"{_count(2 * macs)} FLOPs; the {_count(macs)} MACs cost {_mj(right)}",
            )
        else:
            yield from self._ann_operations(ops, true)
            if ops is None or not self.near(printed, pj * ops * MJ_PER_PJ):
                counted = macs if ops is None else ops
                yield Finding(
                    Fault.ENERGY,
                    f"ANN energy {_mj(printed)} is not {pj:g} pJ x {_count(counted)} = "
                    f"{_mj(pj * counted * MJ_PER_PJ)}",
                )

    def _ann_operations(self, ops: float | None, true: float | None) -> Iterator[Finding]:
        if ops is not None and true and not self.near(ops, true):
            yield Finding(
                Fault.OPERATIONS,
                f"{_count(ops)} ANN operations are {ops / true:.4g} times the {_count(true)} MACs "
                "of the model" + (": FLOPs" if self.near(ops, 2 * true) else ""),
            )

    def snn(self) -> Iterator[Finding]:
        """The energy of an SNN is the price of its events and of the MACs that stay dense."""
        ops, macs, printed = self.claim.snn_ops, self.claim.snn_macs, self.claim.snn_energy_mj
        if printed is None or not ops or not self.ac_pj or (macs and self.mac_pj is None):
            return
        self.checks += [Fault.ENERGY, Fault.RATE_TWICE]
        dense_mj = (self.mac_pj or 0.0) * (macs or 0.0) * MJ_PER_PJ
        events_mj = self.ac_pj * ops * MJ_PER_PJ
        right = dense_mj + events_mj
        if any(self.near(printed, dense_mj + events_mj * once) for once in (1, *self._once(ops))):
            return
        terms = f"{self.ac_pj:g} pJ x {_count(ops)}"
        if macs:
            terms += f" + {self.mac_pj:g} pJ x {_count(macs)}"
        twice = (x for x in self._rates(ops) if self.near(printed, dense_mj + events_mj * x))
        if (rate := next(twice, None)) is None:
            sentence = f"SNN energy {_mj(printed)} is not {terms} = {_mj(right)}"
            yield Finding(Fault.ENERGY, sentence)
            return
        ann_mj = self.claim.ann_energy_mj
        yield Finding(
            Fault.RATE_TWICE,
            f"SNN energy {_mj(printed)} multiplies {_count(ops)} operations, which are "
            f"spike-driven already, by the spike rate {rate:.4g} once more; {terms} = {_mj(right)}"
            + (f", and the ANN costs {ann_mj / right:.4g} times as much" if ann_mj else ""),
        )

    def _once(self, ops: float) -> Iterator[float]:
        """Factors that turn operations into events, where those printed are the dense ones."""
        rate, steps, dense = self.claim.spike_rate, self.claim.timesteps or 1, self.claim.ann_ops
        if rate and dense and self.near(ops, dense):
            yield rate * steps
        if rate and dense and self.near(ops, dense * steps):
            yield rate

    def _rates(self, ops: float) -> Iterator[float]:
        """Factors that would reduce the events once more: the printed rate, the implied one."""
        rate, steps, dense = self.claim.spike_rate, self.claim.timesteps or 1, self.claim.ann_ops
        if rate:
            yield from (rate, rate * steps)
        if dense:
            yield from (ops / dense, ops / dense / steps)

    def ratio(self) -> Iterator[Finding]:
        """The printed ratio is that of the printed energies."""
        ratio, ann, snn = self.claim.ratio, self.claim.ann_energy_mj, self.claim.snn_energy_mj
        if ratio is None or ann is None or not snn:
            return
        self.checks.append(Fault.RATIO)
        if not self.near(ratio, ann / snn):
            yield Finding(
                Fault.RATIO, f"the ratio {ratio:g} is not {_mj(ann)} / {_mj(snn)} = {ann / snn:.4g}"
            )

    def prices(self) -> Iterator[Finding]:
        """The prices that are claimed are those of the hardware, or of another source on it."""
        for op, claimed in ((Op.MAC, self.claim.mac_pj), (Op.AC, self.claim.ac_pj)):
            price = self.profile.prices.get(op)
            if claimed is None or price is None:
                continue
            self.checks.append(Fault.PRICE)
            time_ns = self.claim.time_ns if op is Op.AC else None
            if time_ns:
                self.checks.append(Fault.TIME_ADDED)
            printed = (price.pj, *(other.pj for other in price.others))
            if not any(self.near(claimed, pj) for pj in printed):
                yield self._other_price(op.name, claimed, price, time_ns)

    def _other_price(self, op: str, claimed: float, price: Price, time_ns: float | None) -> Finding:
        if time_ns and self.near(claimed, price.pj + time_ns):
            return Finding(
                Fault.TIME_ADDED,
                f"{claimed:g} pJ per {op} is {price.pj:g} pJ + {time_ns:g} ns, a time added to an "
                f"energy: {price.source}",
            )
        note = f" ({price.note})" if price.note else ""
        return Finding(
            Fault.PRICE,
            f"{claimed:g} pJ per {op} is not the {price.pj:g} pJ of profile "
            f"'{self.profile.name}': {price.source}{note}",
        )


def _mj(mj: float) -> str:
    return f"{mj:.4g} mJ"


def _count(number: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g} {letter}"
    return f"{number:.4g}"
