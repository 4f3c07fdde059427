"""How long each phase of a run takes on hardware that says how fast it is, and what bounds it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from energy import Estimate
from energy.table import Column, Table, at, attributes
from energy.words import NONE, percent
from reports.kit.parts import BOUNDS
from reports.run.run import Run
from reports.views.phases import PhaseBill, phase_bills

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


class Pace(NamedTuple):
    """One side of a phase, and how long it takes."""

    bills: PhaseBill  #: the phase
    side: Estimate  #: the side
    made_of: Sequence[Estimate]  #: its bill, or those of all phases of a request

    @property
    def bounds(self) -> dict[str, float]:
        """Share of the time in layers that wait for arithmetic, or for a level; largest first.

        Empty where the time was given, and follows from no layer.
        """
        times = [layer.time for bill in self.made_of for layer in bill.layers]
        known = [time for time in times if time is not None]
        total = math.fsum(time.seconds for time in known)
        seconds = self.side.latency_s
        if len(known) < len(times) or seconds is None or not math.isclose(total, seconds):
            return {}
        parts = dict.fromkeys(time.bound for time in known)
        shares = {
            part: math.fsum(time.seconds for time in known if time.bound == part) / total
            for part in parts
        }
        return dict(sorted(shares.items(), key=lambda share: -share[1]))

    @property
    def tokens_per_second(self) -> float | None:
        """New tokens of all sequences per second: taken in, or of a request generated."""
        tokens = self.side.counts.batch * self.bills.tokens
        return tokens / self.side.latency_s if self.side.latency_s else None

    @property
    def energy_pj(self) -> float | None:
        """Everything that has a price, in picojoules; None where a MAC or an AC has none."""
        return None if self.side.lacks_compute else self.side.energy_pj()

    @property
    def watts(self) -> float | None:
        """Mean power of what has a price."""
        pj, seconds = self.energy_pj, self.side.latency_s
        return pj * 1e-12 / seconds if pj is not None and seconds else None

    @property
    def joule_seconds(self) -> float | None:
        """Energy-delay product of the phase."""
        pj, seconds = self.energy_pj, self.side.latency_s
        return pj * 1e-12 * seconds if pj is not None and seconds else None


def _bound_by(pace: Pace) -> str:
    shares = {part: percent(share, 0) for part, share in pace.bounds.items()}
    return ", ".join(f"{part} {share}" for part, share in shares.items() if share != "0 %")


def scaled(value: float | None, unit: str) -> str:
    """A number in the prefix of its unit with which it has one to three digits before the point."""
    if value is None:
        return NONE
    rounded = float(f"{value:.3g}")
    scale, prefix = next((x for x in _PREFIXES if rounded >= x[0]), _PREFIXES[-1])
    size = value / scale
    return f"{size:,.0f} {prefix}{unit}" if size >= 999.5 else f"{size:.3g} {prefix}{unit}"


_SIDES = {"asa": "analog", "ssa": "spiking"}

#: `times.csv`, and the table of one hardware.
TIME_COLUMNS: tuple[Column[Pace], ...] = (
    Column("hw", at("side.profile.name")),
    Column("dataflow", lambda pace: str(pace.side.dataflow)),
    Column("fusion", at("side.profile.fusion"), "all priced", words=True, key=True),
    Column("phase", at("bills.phase"), "phase", words=True, key=True),
    Column(
        "variant", at("side.counts.variant"), "model", lambda x: _SIDES[x], words=True, key=True
    ),
    *attributes("side.counts", "batch"),
    *attributes("bills", "tokens"),
    Column("seconds", at("side.latency_s"), "time", lambda x: scaled(x, "s")),
    Column("bound_by", _bound_by, "bound by", words=True),
    Column("tokens_per_second", at("tokens_per_second"), "tokens/s", "{:,.0f}".format),
    *attributes("", "energy_pj"),
    Column("watts", at("watts"), "power", lambda x: scaled(x, "W")),
    Column("joule_seconds", at("joule_seconds"), "EDP", lambda x: scaled(x, "J s")),
    *attributes("side.counts", "model", "weights"),
)


_SHOWN = (
    *("phase", "fusion", "variant", "seconds", "bound_by"),
    *("tokens_per_second", "watts", "joule_seconds"),
)


def times(run: Run) -> Table[Pace]:
    """Both sides of each phase at both bounds, where the hardware says how fast it is, or timed."""
    return Table(
        TIME_COLUMNS, [row for profile in run.profiles for row in _paces(run, profile.name)]
    )


def time_table(run: Run, hw: str) -> Table[Pace]:
    """The same for one hardware, for people; without rows where nothing is known."""
    title = f"Time on {hw}: of each layer, its slowest part"
    return Table(TIME_COLUMNS, _paces(run, hw), title).only(*_SHOWN)


def _paces(run: Run, hw: str) -> list[Pace]:
    pairs = run.phase_estimates[hw]
    rows = []
    for i, own in enumerate(phase_bills(run, hw)):
        of = pairs[i : i + 1] or pairs  # the request is made of all phases
        for bound in BOUNDS:
            bills = own.under(bound)
            for side, parts in zip((bills.asa, bills.ssa), zip(*of, strict=True), strict=True):
                rows.append(Pace(bills, side, [part.under(bound) for part in parts]))
    return [row for row in rows if row.side.latency_s is not None]
