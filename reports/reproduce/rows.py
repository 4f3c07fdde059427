"""The published savings table, measured: its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from energy import Estimate, Saving, estimate, saving
from energy.bill.layer import ACCOUNTINGS
from energy.compare.breakeven import Part, break_even
from energy.compare.part_breakeven import part_break_even, silenced
from energy.table import Column, Table, at, attributes
from energy.words import op_names
from hwmodels.plain import several
from reports.kit.caveats import PUBLISHED_SAVING
from reports.run.run import Run

if TYPE_CHECKING:
    from energy.compare.baselines import Baseline


@dataclass(frozen=True)
class Measured:
    """One measured run, and what the table says of how it was counted."""

    run: Run  #: counts of both models, and the hardware to price them on
    form: str  #: form of the spike-based attention
    code: str  #: code of the inputs of linear layers
    streams: str  #: operands of the products of attention whose events are counted
    #: what `attention block` may mean; the names say whether it is with projections
    scopes: tuple[Part, ...]
    #: other choices of the conversion than those by default, in words
    choices: str = ""


class Events(NamedTuple):
    """Events of a run, and those at which its saving would be an end of the published range."""

    events_per_mac: float | None = None
    events_per_mac_at_low: float | None = None
    events_per_mac_at_high: float | None = None
    spike_rate: float | None = None
    spike_rate_at_low: float | None = None
    spike_rate_at_high: float | None = None


class Line(NamedTuple):
    """One accounting of one scope of a measured run on one piece of hardware."""

    measured: Measured  #: the run
    asa: Estimate  #: bill of the analog model
    ssa: Estimate  #: bill of the spiking model
    part: Part  #: the scope
    accounting: str  #: one of `ACCOUNTINGS`
    saved: Saving  #: what the scope saves
    events: Events  #: its events, measured and implied
    twin: Baseline  #: the spiking model beside the quantised twin of the analog one
    int8: Baseline  #: the spiking model beside the analog one at INT8


#: Columns of `reproduce.csv`.
COLUMNS: tuple[Column[Line], ...] = (
    *attributes("measured.run.asa", "model", "weights"),
    *attributes("measured.run.ssa", "timesteps"),
    Column("hw", at("ssa.profile.name")),
    *attributes("ssa.profile", "precision"),
    *attributes("measured", "form", "code", "streams"),
    *attributes("measured.run.asa", "attention"),
    Column("projections", at("part.name")),
    *attributes("", "accounting"),
    *attributes("saved", "asa_pj", "ssa_pj", "saving"),
    Column("published_low", lambda _: PUBLISHED_SAVING[0]),
    Column("published_high", lambda _: PUBLISHED_SAVING[1]),
    Column("stands", lambda line: stands(line.saved.saving)),
    *attributes("events", *Events._fields),
    Column("twin_bits", at("twin.activation_bits")),
    Column("saving_vs_twin", lambda line: against(line.twin, line)),
    Column("saving_vs_int8", lambda line: against(line.int8, line)),
    Column("model_saving", lambda line: model_saving(line)),
    Column("unpriced", lambda line: op_names(line.saved.unpriced)),
    *attributes("ssa", "dataflow"),
    *attributes("measured.run.asa", "phase", "batch", "tokens"),
    *attributes("part", "includes"),
    *attributes("measured", "choices"),
)

#: One line of the table, by column.
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Reproduction:
    """All measured runs, in the order asked for."""

    measured: tuple[Measured, ...]  #: at least one

    @cached_property
    def table(self) -> Table[Line]:
        """`reproduce.csv`: one row per run, hardware, scope and accounting."""
        return Table(COLUMNS, [line for run in self.measured for line in _lines(run)])

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The same rows, by column."""
        return tuple(self.table.records())

    @property
    def facts(self) -> str:
        """What holds for all rows, in words."""
        asa = self.measured[0].run.asa
        # A choice that changes nothing in a form of attention is missing there.
        chosen = max((x.choices for x in self.measured), key=len)
        facts = f"{asa.phase}, {several(asa.tokens, 'token')}, batch {asa.batch}"
        return f"{facts}; where it has an effect {chosen}" if chosen else facts


def stands(share: float | None) -> str:
    """Whether a saving is below, inside or above the published range; nothing without one."""
    if share is None:
        return ""
    low, high = PUBLISHED_SAVING
    return "below" if share < low else "inside" if share <= high else "above"


def _lines(measured: Measured) -> Iterator[Line]:
    run = measured.run
    silent = silenced(run.ssa)
    for profile in run.profiles:
        baselines = {baseline.name: baseline for baseline in run.baselines[profile.name]}
        twin = baselines["twin"]
        int8 = baselines.get("int8-vs-own", baselines["int8"])
        asa, ssa = run.estimates[profile.name]
        quiet = estimate(silent, ssa.profile)
        for part in measured.scopes:
            for accounting in ACCOUNTINGS:
                saved = _saved(asa, ssa, accounting, part)
                events = _events(part, accounting, asa, quiet, ssa)
                yield Line(measured, asa, ssa, part, accounting, saved, events, twin, int8)


def _events(part: Part, accounting: str, asa: Estimate, silent: Estimate, busy: Estimate) -> Events:
    """Events of a run, and those at which this profile would give the ends of the range.

    The bill is linear in the events: silent + x (busy - silent) = (1 - saving) asa has the
    multiple x of the measured ones, however they are spread over the layers. No x where even a
    silent model costs more, or something that matters has no price.
    """
    line = part_break_even(part, accounting, asa, silent, busy)
    if line is None:
        return Events()
    multiples = [
        None if line.bound else break_even((1 - share) * line.asa_pj, line.silent_pj, line.busy_pj)
        for share in PUBLISHED_SAVING
    ]
    values: list[float | None] = []
    for measured in (line.busy_events_per_mac, line.busy_rate):
        values += [measured, *(None if x is None else x * measured for x in multiples)]
    return Events(*values)


def against(baseline: Baseline, line: Line) -> float | None:
    """What a scope saves against a baseline; None without bills."""
    if baseline.asa is None or baseline.ssa is None:
        return None
    return _saved(baseline.asa, baseline.ssa, line.accounting, line.part).saving


def model_saving(line: Line) -> float | None:
    """What the whole model saves."""
    return saving(line.asa, line.ssa, line.accounting).saving


def _saved(asa: Estimate, ssa: Estimate, accounting: str, part: Part) -> Saving:
    asa, ssa = asa.under(accounting), ssa.under(accounting)
    return saving(_only(asa, part.analog), _only(ssa, part.spiking), accounting)


def _only(bill: Estimate, names: frozenset[str] | None) -> Estimate:
    """The bill of some rows of a model that runs as a whole, at the bound of that bill.

    Static energy belongs to no row.
    """
    inside = [names is None or name in names for name in bill.counts.columns.names]
    return replace(bill, priced=bill.priced.take(np.flatnonzero(inside)), latency_s=None)
