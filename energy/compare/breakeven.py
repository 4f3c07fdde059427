"""How many spikes a spiking layer may send before it costs what the analog layer costs.

The energy of the spiking side is linear in its spikes: accumulates, emitted spikes, their routing,
and, where weights or spikes move per event, that traffic too, are proportional to them, and the
rest is there without any. So two bills of the spiking side, without events and with known ones,
give the line, and the bill of the analog side gives the place where it is crossed. Where a machine
gathers rows the bill bends, since few events touch many rows: there it is a curve of many bills.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from hwmodels.defined import Defined


def break_even(asa_pj: float, silent_pj: float, busy_pj: float) -> float | None:
    """Events, as a multiple of those of the busy bill, at which both sides cost the same.

    silent + x (busy - silent) = asa, so x = (asa - silent) / (busy - silent).

    None where there is no such multiple: the silent side costs more already, or events cost
    nothing.
    """
    if silent_pj > asa_pj or busy_pj <= silent_pj:
        return None
    return (asa_pj - silent_pj) / (busy_pj - silent_pj)


class Verdict(Defined):
    """Whether there are spike rates at which the spiking side costs less."""

    NEVER = "never wins", "the spiking side costs as much without a single event"
    BELOW = "wins below", "the spiking side costs less below the break-even rate"
    ALWAYS = "always wins", "the spiking side costs less at every rate that its code can send"
    SILENT = "no event seen", "nothing was sent, so what an event costs is unknown"
    UNPRICED = "unpriced", "operations that differ between the sides have no price"


class Bound(StrEnum):
    """What the priced part of two bills says of a break-even, where the rest has no price."""

    AT_MOST = "at most"  #: all that is missing is on the spiking side
    AT_LEAST = "at least"  #: all that is missing is on the analog side
    UNKNOWN = "unknown"  #: it is on both sides


@dataclass(frozen=True)
class Part:
    """What is compared: some rows of the analog model with those that replace them."""

    name: str  #: what it is called in tables
    kind: str  #: `layer`, `product`, `block` or `model`
    component: str  #: component of a layer or product; empty for the others
    includes: str  #: what is in it, in words
    #: names of rows of the analog model; None for all of them and static energy
    analog: frozenset[str] | None
    spiking: frozenset[str] | None  #: names of rows of the spiking model; None likewise
    highest_rate: float = 1.0  #: events that a slot can hold in one time step


@dataclass(frozen=True)
class BreakEven:
    """The line of one part in one accounting, and where it meets the analog bill."""

    part: Part  #: what is compared
    accounting: str  #: one of `ACCOUNTINGS`, or `full`
    timesteps: int  #: time steps of the spiking side
    #: energy of the analog side in picojoules; what both sides do equally often and has no price is
    #: in none of the three
    asa_pj: float
    silent_pj: float  #: energy of the spiking side without an event
    busy_pj: float  #: energy of the spiking side with the events of the two fields below
    busy_rate: float  #: spikes per slot and time step, each slot weighted by its fan-out
    busy_events_per_mac: float  #: accumulates per multiply-accumulate that they replace
    #: what differs between the sides and has no price: then there is no break-even, at best a bound
    unpriced: tuple[str, ...] = ()
    #: what has no price but occurs equally often on both sides: it cannot move it
    cancelled: tuple[str, ...] = ()
    #: what is known nevertheless; None where everything that matters is priced
    bound: Bound | None = None
    #: events that share a fetch beside the adders at which the busy side costs what the analog one
    #: does; with fewer it costs more. 1 where it costs less whatever they share; None where it
    #: costs more whatever they share, nothing is fetched, or a price is missing
    event_reuse: float | None = None
    #: energy of the spiking side in picojoules at multiples of the busy events, rising from 0;
    #: empty where it is the line through both ends
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def crossing(self) -> float | None:
        """Multiple of the busy events at which what has a price costs the same on both sides."""
        if not self.curve or self.silent_pj > self.asa_pj:
            return break_even(self.asa_pj, self.silent_pj, self.busy_pj)
        pieces = [*pairwise(self.curve)]
        crossed = (x for x in pieces if x[0][1] <= self.asa_pj < x[1][1])
        (low, below), (high, above) = next(crossed, pieces[-1])  # the last one goes on
        share = break_even(self.asa_pj - below, 0.0, above - below)
        return None if share is None else low + share * (high - low)

    def _pj(self, multiple: float) -> float:
        """Energy of the spiking side at a multiple of the busy events."""
        ends = [(0.0, self.silent_pj), (1.0, self.busy_pj)]
        pieces = [*pairwise(self.curve or ends)]
        (low, below), (high, above) = next((x for x in pieces if multiple <= x[1][0]), pieces[-1])
        return below + (multiple - low) / (high - low) * (above - below)

    @property
    def priced_rate(self) -> float | None:
        """Break-even rate of what has a price: with a `bound`, it is one of the true rate."""
        share = self.crossing
        return None if share is None else share * self.busy_rate

    @property
    def priced_events_per_mac(self) -> float | None:
        """The same place in accumulates per multiply-accumulate that they replace."""
        share = self.crossing
        return None if share is None else share * self.busy_events_per_mac

    @property
    def priced_spikes_per_synapse(self) -> float | None:
        """The same place in spikes that arrive at a synapse per token."""
        return None if self.priced_rate is None else self.timesteps * self.priced_rate

    @property
    def share(self) -> float | None:
        """Break-even as a multiple of the busy events; None where there is none, or unpriced."""
        return None if self.bound else self.crossing

    @property
    def rate(self) -> float | None:
        """Break-even in spikes per slot and time step; above 1 if no code can send so many."""
        return None if self.share is None else self.share * self.busy_rate

    @property
    def events_per_mac(self) -> float | None:
        """Break-even in accumulates per multiply-accumulate that they replace."""
        return None if self.share is None else self.share * self.busy_events_per_mac

    @property
    def spikes_per_synapse(self) -> float | None:
        """Break-even in spikes that arrive at a synapse per token: time steps x rate."""
        return None if self.rate is None else self.timesteps * self.rate

    @property
    def verdict(self) -> Verdict:
        """Whether there are rates at which the spiking side costs less."""
        if self.silent_pj >= self.asa_pj and self.bound in (None, Bound.AT_MOST):
            return Verdict.NEVER
        if self.bound in (Bound.AT_MOST, Bound.UNKNOWN) or self.silent_pj >= self.asa_pj:
            return Verdict.UNPRICED
        if not self.busy_rate:
            return Verdict.SILENT
        if self.priced_rate is None or self.priced_rate > self.part.highest_rate:
            return Verdict.ALWAYS
        return Verdict.UNPRICED if self.bound else Verdict.BELOW

    @property
    def busy_saves(self) -> bool | None:
        """Whether the spiking side costs less with the busy events; None where no price tells."""
        saves = self.busy_pj < self.asa_pj
        certain = {None: True, Bound.AT_MOST: not saves, Bound.AT_LEAST: saves}
        return saves if certain.get(self.bound, False) else None

    def saving(self, rate: float) -> float | None:
        """1 - SSA / ASA of what has a price, at a spike rate; None where there is no such line."""
        if not self.asa_pj or not self.busy_rate:
            return None
        return 1 - self._pj(rate / self.busy_rate) / self.asa_pj
