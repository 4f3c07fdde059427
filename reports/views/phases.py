"""What each phase of a run costs, split into arithmetic, neurons, routing, memory and static."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from energy import Estimate
from energy.bill.both import dataflow_of
from energy.bill.layer import GROUPS
from energy.table import Column, Table, at, attributes
from energy.words import energy
from reports.kit.parts import BOUNDS, GROUP_NAMES, other_bound
from reports.run.run import Run

#: The request, shared by the tokens that it generates.
GENERATED = "per generated token"
#: Lines below a bill.
_ENDS = ("total", GENERATED)
#: Traffic of buffers that the profile places in no level.
UNPLACED = "memory:unplaced"


class Part(NamedTuple):
    """One line of a bill."""

    name: str  #: a heading of `GROUPS`, `memory:` and the name of a level, `static` or `total`
    pj: float | None  #: energy in picojoules; None where nothing of it has a price
    unpriced: tuple[str, ...] = ()  #: what of it has no price


class PhaseBill(NamedTuple):
    """The bills of one phase on one hardware."""

    phase: str  #: `prefill`, `decode`, or `request` for all phases together
    #: new tokens per sequence that its energy is shared by: those it takes in, or for a request
    #: those it generates
    tokens: int
    asa: Estimate  #: bill of the analog model, over the whole batch
    ssa: Estimate  #: bill of the spiking model

    def under(self, accounting: str) -> PhaseBill:
        """Both bills at the bound that an accounting names."""
        return self._replace(asa=self.asa.under(accounting), ssa=self.ssa.under(accounting))

    def per_token(self, pj: float) -> float:
        """A share of the bill for each new token of each sequence, in picojoules."""
        return pj / (self.asa.counts.batch * self.tokens) if self.tokens else 0.0


def phase_bills(run: Run, hw: str) -> list[PhaseBill]:
    """The bills of each phase, and of the whole request where there are several."""
    bills = [
        PhaseBill(phase.name, phase.tokens, *pair)
        for phase, pair in zip(run.phases, run.phase_estimates[hw], strict=True)
    ]
    if len(bills) > 1:
        generated = sum(phase.generated for phase in run.phases)
        bills.append(PhaseBill("request", generated, *run.estimates[hw]))
    return bills


def parts(bill: Estimate) -> list[Part]:
    """The lines of a bill: headings, memory levels, static energy, and last their total.

    An unpriced MAC or AC leaves no arithmetic and no total; otherwise a line holds what has a
    price and names what has none.
    """
    lines = [_heading(bill, group) for group in GROUPS[:-1]]
    lines += [Part(f"memory:{x}", bill.level_pj.get(x, 0.0)) for x in bill.profile.memory]
    if unplaced := _missing(bill, "memory"):
        lines.append(Part(UNPLACED, None, unplaced))
    static = bill.static_pj
    lines.append(Part("static", static, () if static is not None else ("static",)))
    everything = tuple(name for line in lines for name in line.unpriced)
    lines.append(Part("total", None if bill.lacks_compute else bill.energy_pj(), everything))
    return lines


def _missing(bill: Estimate, group: str) -> tuple[str, ...]:
    return tuple(op.value for op in bill.unpriced if op.group == group)


def _heading(bill: Estimate, group: str) -> Part:
    pj, missing = bill.group_pj(group), _missing(bill, group)
    lost = bill.lacks_compute if group == "compute" else bool(missing and not pj)
    return Part(group, None if lost else pj, missing)


class PhaseLine(NamedTuple):
    """One line of the bill of one side of a phase."""

    bills: PhaseBill  #: the phase
    side: Estimate  #: the side
    part: Part  #: the line
    total: Part  #: the last line of the same bill

    @property
    def share(self) -> float | None:
        """Of the total; None where either is unknown."""
        part, total = self.part.pj, self.total.pj
        return part / total if part is not None and total else None


#: `phases.csv`.
PHASE_COLUMNS: tuple[Column[PhaseLine], ...] = (
    Column("hw", at("side.profile.name")),
    Column("dataflow", lambda line: str(line.side.dataflow)),
    *attributes("side.profile", "fusion"),
    *attributes("side.counts", "variant"),
    *attributes("bills", "phase"),
    *attributes("side.counts", "batch"),
    *attributes("bills", "tokens"),
    Column("part", at("part.name")),
    Column("energy_pj", at("part.pj")),
    Column(
        "pj_per_token",
        lambda line: None if line.part.pj is None else line.bills.per_token(line.part.pj),
    ),
    *attributes("", "share"),
    Column("unpriced", lambda line: " ".join(line.part.unpriced)),
    *attributes("side.counts", "model", "weights"),
)


def phases(run: Run) -> Table[PhaseLine]:
    """Each line of each bill of each phase at both bounds, energy without a price missing."""
    rows = [
        line
        for profile in run.profiles
        for own in phase_bills(run, profile.name)
        for bills in map(own.under, BOUNDS)
        for side in (bills.asa, bills.ssa)
        for line in _lines(bills, side)
    ]
    return Table(PHASE_COLUMNS, rows)


def _lines(bills: PhaseBill, side: Estimate) -> Iterator[PhaseLine]:
    lines = parts(side)
    yield from (PhaseLine(bills, side, line, lines[-1]) for line in lines)


def phase_table(run: Run, hw: str) -> Table[str]:
    """The bills beside each other, per new token of each phase and per request; rows are lines.

    They are those at the bound of the profile; their ends are there at the other one too.
    """
    bills = phase_bills(run, hw)
    other = other_bound(bills[0].asa.profile)
    columns: list[Column[str]] = [Column("part", str, "part", part_name, words=True, key=True)]
    # A prefill gives each of its sequences one token, so it tells how many requests there are.
    requests = run.asa.batch * run.phases[0].generated
    lines: list[PhaseLine] = []
    for bill in bills:
        beyond = bill.under(other)
        for side, there, variant in (
            (bill.asa, beyond.asa, "analog"),
            (bill.ssa, beyond.ssa, "spiking"),
        ):
            own = list(_lines(bill, side))
            lines += own
            cells, more = _cells(own, requests), _cells(list(_lines(beyond, there)), requests)
            cells |= {f"{name}, {other}": more[name] for name in _ENDS if name in more}
            name = f"{bill.phase} {variant}"
            columns.append(Column(name, cells.get, name))
    costs = {line.part.name for line in lines if line.part.pj != 0} - {"total"}
    names = dict.fromkeys(line.part.name for line in lines)
    ends = [x for name in _ENDS[: len(bills)] for x in (name, f"{name}, {other}")]
    new = "sample" if run.of_network else "new token"
    own_bound, flow = bills[0].asa.profile.fusion, dataflow_of(bills[0].asa, bills[0].ssa)
    return Table(
        tuple(columns),
        [*(name for name in names if name in costs), *ends],
        f"Energy per {new}{' of each phase, and per request' * (len(bills) > 1)}, {hw}, "
        f"{own_bound}, {flow}, batch {run.asa.batch}",
        group=ends.__contains__,
        strong="total".__eq__,
    )


def _cells(lines: Sequence[PhaseLine], requests: int) -> dict[str, str]:
    """A bill in words, by line: of a phase per token, of a request per request."""
    bills = lines[0].bills
    each = bills.per_token(1.0)
    if bills.phase != "request":
        return {line.part.name: _cell(line, each) for line in lines}
    cells = {line.part.name: _cell(line, 1 / requests) for line in lines}
    return cells | {GENERATED: _cell(lines[-1], each)}


def _cell(line: PhaseLine, factor: float) -> str:
    pj = None if line.part.pj is None else line.part.pj * factor
    if line.part is line.total or not line.share:
        return energy(pj)
    return f"{energy(pj, 3)} {line.share:>6.1%}"


def part_name(name: str) -> str:
    """A line of the bill for people."""
    if name == UNPLACED:
        return "memory without a level"
    return GROUP_NAMES.get(name) or name.removeprefix("memory:").replace("_", " ")
