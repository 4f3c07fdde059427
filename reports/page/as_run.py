"""What the page shows as it was run, whatever the panel says: the tables that `profile` prints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from energy import saving
from energy.bill.both import machine_of
from energy.bill.layer import ACCOUNTINGS
from energy.compare.ranges import UncertainConstant, constants_of
from energy.compare.sensitivity import SAMPLES
from energy.table import Column, Table
from energy.words import percent, unit_of
from hwmodels.pair import TwoMachines, sides
from reports.kit.answers import between
from reports.kit.caveats import OF_TWO_MACHINES, on_two
from reports.kit.parts import BLOCKS, BOUNDS, block_name
from reports.run.run import Run
from reports.run.steps import StepCount
from reports.sensitivity.study import value_text
from reports.views.baselines import baseline_table
from reports.views.blocks import block_table
from reports.views.headline import Headline, headlines
from reports.views.markdown import without_price
from reports.views.phases import phase_table
from reports.views.times import time_table

#: The hardware is in the heading.
_HEADLINE = ("block", "accounting", "asa_pj", "ssa_pj", "saving", "interval")


class Shown(NamedTuple):
    """Tables under one heading."""

    heading: str
    note: str  #: how to read them
    tables: tuple[Table[Any], ...]


def as_run(run: Run) -> Iterator[Shown]:
    """The tables of a run as they are printed, without those that have no rows."""
    for heading, note, made in _TABLES:
        tables = tuple(table for hw in run.estimates if (table := made(run, hw)).rows)
        if tables:
            yield Shown(heading.format(unit=unit_of(run.asa.phase)), note, tables)
    if run.is_of_two:
        yield _constants(run)
    if run.steps:
        yield Shown(
            "Spikes by time step",
            "Spikes per slot of the neurons of each block, over all layers.",
            (steps_table(run.steps),),
        )


class OfTwo(NamedTuple):
    """What a page of two machines opens with."""

    answer: str  #: what is saved, at both bounds
    hardware: str  #: both machines
    caution: str  #: what such a saving is not
    unpriced: tuple[str, ...]  #: what each side has counted that its machine has no price for


def of_two(run: Run) -> OfTwo:
    """The answer of a run on two machines."""
    hw = next(it for it in run.profiles if isinstance(it, TwoMachines))
    pair = run.estimates[hw.name]
    ends = [saving(*pair, bound).saving for bound in BOUNDS]
    said = f"The spiking model {between(ends[0], ends[1])}"
    if None in ends:
        said = "What is saved is not known, as MACs or ACs have no price"
    unpriced = tuple(without_price(bill) for bill in pair if bill.unpriced)
    return OfTwo(on_two(said), hw.title, OF_TWO_MACHINES, unpriced)


def _constants(run: Run) -> Shown:
    """What each of two machines charges, and who says so."""
    columns: tuple[Column[UncertainConstant], ...] = (
        Column("constant", lambda x: x.name, "constant", words=True, key=True),
        Column("value", value_text, "value"),
        Column("unit", lambda x: x.unit, "unit", words=True),
        Column("evidence", lambda x: x.evidence, "evidence", words=True),
        Column("source", lambda x: x.source, "source", words=True),
    )
    tables = [
        Table(columns, constants_of(profile), profile.title)
        for machine in run.profiles
        for profile in sides(machine)
    ]
    return Shown("Constants and their sources", "What each machine charges.", tuple(tables))


def _saved(run: Run, hw: str) -> Table[Headline]:
    pair = run.estimates[hw]
    return headlines([pair], machine_of(*pair).title).only(*_HEADLINE)


#: Heading, how to read it, and the table of one hardware.
_TABLES: tuple[tuple[str, str, Callable[[Run, str], Table[Any]]], ...] = (
    (
        "What is saved, and how far constants move it",
        "Fused and unfused are the two ends of what moves between products. Between the last two "
        f"numbers lie 90 % of {SAMPLES:,} draws in which each constant, capacity, reuse and "
        "encoding is off as far as its evidence allows.",
        _saved,
    ),
    (
        "What the energy is spent on",
        "Everything that has a price, at both ends of what moves between products.",
        block_table,
    ),
    (
        "Energy per {unit}, by phase",
        "Each share is of the total of its column.",
        phase_table,
    ),
    (
        "Time and power",
        "A layer takes as long as its arithmetic or its slowest memory.",
        time_table,
    ),
    (
        "Saved against other baselines",
        "The same spiking model, beside analog models that are less wasteful than its own.",
        baseline_table,
    ),
)


def intervals(run: Run) -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
    """Where each saving lies (5 to 95 %), by hardware, accounting and block; "" is the model."""
    return {
        hw: {
            accounting: {
                block or "": (spread.low, spread.high)
                for block in BLOCKS
                if (spread := Headline(*pair, accounting, block).interval) is not None
            }
            for accounting in ACCOUNTINGS
        }
        for hw, pair in run.estimates.items()
    }


#: Spikes and slots of the neurons of one time step, by block; None is all of them.
_Step = Mapping[str | None, tuple[int, int]]


def steps_table(steps: Sequence[StepCount]) -> Table[tuple[str, _Step]]:
    """Spikes per slot in each time step, by block and of all neurons; the last row is the mean."""
    blocks = [*dict.fromkeys(step.label.block for step in steps), None]
    sums: dict[str, dict[str | None, tuple[int, int]]] = defaultdict(dict)
    for step in sorted(steps, key=lambda it: it.step):
        for row in (str(step.step + 1), "all"):
            for block in (step.label.block, None):
                spikes, slots = sums[row].get(block, (0, 0))
                sums[row][block] = spikes + step.spikes, slots + step.slots
    mean = sums.pop("all")
    columns: tuple[Column[tuple[str, _Step]], ...] = (
        Column("step", lambda row: row[0], "time step", words=True, key=True),
        *(
            Column(f"{block or 'model'}_rate", partial(_rate, block), block_name(block), percent)
            for block in blocks
        ),
    )
    return Table(columns, [*sums.items(), ("all", mean)], strong=lambda row: row[0] == "all")


def _rate(block: str | None, row: tuple[str, _Step]) -> float | None:
    spikes, slots = row[1].get(block, (0, 0))
    return spikes / slots if slots else None
