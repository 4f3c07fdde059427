"""Energies per token side by side: what somebody measured, and what runs are billed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from energy import Estimate
from energy.words import energy
from hwmodels.shelf import Measured, measured
from hwmodels.systems import Boundary, Phase
from reports.kit.parts import BOUNDS
from reports.run.run import Run
from reports.views.phases import PhaseBill, parts, phase_bills

#: What stands in place of a boundary where nothing was measured.
BILL = "bill"
#: The same of what the prices of a whole chip as a server give.
PREDICTED = "prediction"
#: Said wherever runs stand beside measured systems.
CAUTION = (
    "What is inside differs from line to line: a bill is the energy of what was counted, at prices "
    "of single operations; a prediction has what the measured servers have on which it was fitted; "
    "a measured system has clocks, control, idle chips and, at the wall, "
    "host, supplies and fans inside as well. Whole systems are never the bill of their operations, "
    "and models, widths, batches and contexts are not the same."
)
#: What a boundary means, as part of a sentence.
BOUNDARIES = "; ".join(f"{it}: {it.definition}" for it in Boundary)


class Line(NamedTuple):
    """One energy per token: of a prompt in a prefill, generated in all else."""

    system: str  #: the system, or the run and its hardware
    what: str  #: what it was, in words
    model: str | None  #: the model that ran
    phase: str | None  #: `prefill`, `decode`, `request`; None where the source does not say
    batch: float | None  #: sequences side by side
    low_j: float | None  #: joules per token, the lower end; None where it is unpriced
    high_j: float | None  #: the upper end: of a bill the bound `unfused`
    tokens_per_second: float | None  #: of the whole system
    boundary: str  #: one of `Boundary`, or `BILL`, or `PREDICTED`
    evidence: str  #: one of `Evidence`; of a bill where its counts come from
    source: str  #: a citation; of a bill the hardware whose prices it has

    @property
    def of_prompt(self) -> bool:
        """Whether its tokens are those of a prompt."""
        return self.phase == Phase.PREFILL

    @property
    def per_token(self) -> str:
        """Its ends in words, once where they are the same."""
        ends = (None if x is None else energy(1e12 * x, 3) for x in (self.low_j, self.high_j))
        return " to ".join(dict.fromkeys(x or "unpriced" for x in ends))


def shelf() -> list[Line]:
    """The measured systems, those of one system together."""
    return [_measured(one) for one in measured() if one.figure.joules_per_token is not None]


def _measured(one: Measured) -> Line:
    figure, joules = one.figure, one.figure.joules_per_token
    low, high = figure.spread or (1.0, 1.0)
    return Line(
        one.system,
        f"{one.title}: {figure.what}",
        figure.model,
        figure.phase,
        figure.batch,
        None if joules is None else joules * low,
        None if joules is None else joules * high,
        figure.tokens_per_second,
        figure.boundary,
        figure.evidence,
        f"{figure.source} ({figure.note})" if figure.note else figure.source,
    )


def beside(runs: Mapping[str, Run], others: Iterable[Line] = ()) -> list[Line]:
    """Bills of runs and measured systems together, each kind of token by its energy.

    Tokens that are generated come first; what has no price comes last among its kind.

    Args:
        runs: By their names.
        others: Lines of what has one side alone.
    """
    billed = (line for name, run in runs.items() for line in _billed(name, run))
    lines = [*billed, *others, *shelf()]
    return sorted(lines, key=lambda x: (x.of_prompt, x.low_j is None, x.low_j or 0.0))


def _billed(name: str, run: Run) -> Iterator[Line]:
    for profile in run.profiles:
        for bills in phase_bills(run, profile.name):
            ends = [bills.under(bound) for bound in BOUNDS]
            for variant, sides in (
                ("analog", [x.asa for x in ends]),
                ("spiking", [x.ssa for x in ends]),
            ):
                hw = sides[0].profile.name
                yield _line(f"{name} on {hw}, {variant}", run, bills, sides)


def _line(system: str, run: Run, bills: PhaseBill, sides: Sequence[Estimate]) -> Line:
    """The bill of a phase, as the range between its bounds."""
    ends = [parts(side)[-1].pj for side in sides]
    known = sorted(bills.per_token(pj) / 1e12 for pj in ends if pj is not None)
    low, high = (known[0], known[-1]) if len(known) == len(ends) else (None, None)
    profile = sides[0].profile
    return Line(
        system,
        f"{run.title}; {bills.phase} on {profile.title}",
        run.asa.model,
        bills.phase,
        run.asa.batch,
        low,
        high,
        None,
        BILL,
        "counted" if run.command == "profile" else "planned",
        f"prices of {profile.name}, {BOUNDS[0]} to {BOUNDS[1]}",
    )
