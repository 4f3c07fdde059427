"""What each phase of a run costs, split into arithmetic, neurons, routing, memory and static."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from energy import Estimate
from energy.bill.estimate import GROUPS
from reports.run.run import Run

#: Columns of `phases.csv`, in order; frozen by a test.
PHASE_COLUMNS = (
    "hw",
    "dataflow",
    "variant",
    "phase",
    "batch",
    "tokens",
    "part",
    "energy_pj",
    "pj_per_token",
    "share",
    "unpriced",
    "model",
    "weights",
)

#: Headings of the bill for people; a memory level is called by its own name.
PART_NAMES = {
    "compute": "MACs and ACs",
    "scalar": "non-linear functions",
    "neuron": "neuron updates",
    "routing": "spike routing",
    "static": "static",
    "total": "total",
}
#: Traffic of buffers that the profile places in no level.
UNPLACED = "memory:unplaced"


class Part(NamedTuple):
    """One line of a bill.

    Attributes:
        name: A heading of `GROUPS`, `memory:` and the name of a level, `static` or `total`.
        pj: Energy in picojoules; None where nothing of it has a price.
        unpriced: What of it has no price.
    """

    name: str
    pj: float | None
    unpriced: tuple[str, ...] = ()


class PhaseBill(NamedTuple):
    """The bills of one phase on one hardware.

    Attributes:
        phase: `prefill`, `decode`, or `request` for all phases together.
        tokens: New tokens per sequence that its energy is shared by: those it takes in, or for a
            request those it generates.
        asa: Bill of the analog model, over the whole batch.
        ssa: Bill of the spiking model.
    """

    phase: str
    tokens: int
    asa: Estimate
    ssa: Estimate

    def per_token(self, pj: float) -> float:
        """A share of the bill for each new token of each sequence, in picojoules."""
        return pj / (self.asa.counts.batch * self.tokens) if self.tokens else 0.0


def phase_bills(run: Run, hw: str) -> list[PhaseBill]:
    """The bills of each phase, and of the whole request where there are several."""
    found = [
        PhaseBill(phase.name, phase.tokens, *pair)
        for phase, pair in zip(run.phases, run.phase_estimates[hw], strict=True)
    ]
    if len(found) > 1:
        generated = sum(phase.generated for phase in run.phases)
        found.append(PhaseBill("request", generated, *run.estimates[hw]))
    return found


def parts(bill: Estimate) -> list[Part]:
    """The lines of a bill: headings, memory levels, static energy, and last their total.

    An unpriced MAC or AC leaves no arithmetic and no total; otherwise a line holds what has a
    price and names what has none.
    """
    missing = {
        group: tuple(op.value for op in bill.unpriced if op.group == group) for group in GROUPS
    }
    found = []
    for group in GROUPS[:-1]:
        pj = bill.group_pj(group)
        lost = bill.lacks_compute if group == "compute" else bool(missing[group] and not pj)
        found.append(Part(group, None if lost else pj, missing[group]))
    found += [Part(f"memory:{x}", bill.level_pj.get(x, 0.0)) for x in bill.profile.memory]
    if missing["memory"]:
        found.append(Part(UNPLACED, None, missing["memory"]))
    found.append(Part("static", bill.static_pj, () if bill.static_pj is not None else ("static",)))
    everything = tuple(what for part in found for what in part.unpriced)
    found.append(Part("total", None if bill.lacks_compute else bill.energy_pj(), everything))
    return found


def phase_rows(run: Run) -> Iterator[dict[str, object]]:
    """The rows of `phases.csv`, with the columns of `PHASE_COLUMNS`."""
    for profile in run.profiles:
        for bills in phase_bills(run, profile.name):
            for side in (bills.asa, bills.ssa):
                lines = parts(side)
                for part in lines:
                    yield {
                        "hw": profile.name,
                        "dataflow": str(side.dataflow),
                        "variant": side.counts.variant,
                        "phase": bills.phase,
                        "batch": side.counts.batch,
                        "tokens": bills.tokens,
                        "part": part.name,
                        "energy_pj": part.pj,
                        "pj_per_token": None if part.pj is None else bills.per_token(part.pj),
                        "share": _share(part, lines[-1]),
                        "unpriced": " ".join(part.unpriced),
                        "model": side.counts.model,
                        "weights": side.counts.weights,
                    }


def phases_csv(run: Run) -> str:
    """The text of `phases.csv`; energy without a price is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, PHASE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(phase_rows(run))
    return out.getvalue()


def _share(part: Part, total: Part) -> float | None:
    return part.pj / total.pj if part.pj is not None and total.pj else None


def print_phases(run: Run, console: Console) -> None:
    """Print the split bill of each phase, per new token and per request, for each hardware."""
    for profile in run.profiles:
        console.print()
        console.print(_table(run, profile.name))


def _table(run: Run, hw: str) -> Table:
    bills = phase_bills(run, hw)
    several = len(bills) > 1
    about = f"{hw}, {bills[0].asa.dataflow}, batch {run.asa.batch}"
    title = f"energy in mJ {'per token and per request' if several else 'per token'}, {about}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("part", no_wrap=True)
    columns = []
    # A prefill gives each of its sequences one token, so it tells how many requests there are.
    requests = run.asa.batch * run.phases[0].generated
    for bill in bills:
        each, factor = "token", bill.per_token(1.0)
        if bill.phase == "request":
            each, factor = "request", 1 / requests
        for side in (bill.asa, bill.ssa):
            heading = f"{side.counts.variant.upper()} {bill.phase}\nmJ/{each}"
            table.add_column(heading, justify="right")
            columns.append((parts(side), factor))
    names = dict.fromkeys(part.name for lines, _ in columns for part in lines)
    for name in names:
        cells = [_cell(name, lines, factor) for lines, factor in columns]
        if name == "total":
            table.add_section()
        if name == "total" or any(cell not in ("0", "-") for cell in cells):
            table.add_row(escape(part_name(name)), *cells, style="bold" * (name == "total"))
    if several:
        blank, last = [""] * (len(columns) - 2), bills[-1]
        ends = [lines[-1].pj for lines, _ in columns[-2:]]
        shared = [_millijoule(None if pj is None else last.per_token(pj)) for pj in ends]
        table.add_row("per generated token", *blank, *shared)
    return table


def part_name(name: str) -> str:
    """A line of the bill for people."""
    if name == UNPLACED:
        return "memory without a level"
    return PART_NAMES.get(name) or name.removeprefix("memory:").replace("_", " ")


def _cell(name: str, lines: list[Part], factor: float) -> str:
    part = next((x for x in lines if x.name == name), None)
    if part is None or part.pj == 0:
        return "0" if part else "-"
    pj, share = (None if part.pj is None else part.pj * factor), _share(part, lines[-1])
    if name == "total" or share is None:
        return _millijoule(pj)
    return f"{_millijoule(pj, 3)} {share:>6.1%}"


def _millijoule(pj: float | None, digits: int = 4) -> str:
    """With so many digits, and none of them in an exponent where that can be."""
    if pj is None:
        return "unpriced"
    value = pj / 1e9
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:,.0f}"
