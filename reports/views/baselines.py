"""The saving of a run against each baseline: `baselines.csv`, and a table for people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

from energy import Saving
from energy.bill.both import machine_of
from energy.bill.layer import ACCOUNTINGS
from energy.compare.baselines import Baseline
from energy.table import Column, Table
from energy.words import op_names, percent
from reports.kit.parts import BLOCKS, SHOWN
from reports.run.run import Run


@dataclass(frozen=True)
class BaselineLine:
    """The saving in one part of the model against one baseline; None where nothing is known."""

    run: Run
    hw: str
    baseline: Baseline
    accounting: str
    block: str | None

    @cached_property
    def saving(self) -> Saving | None:
        """What is saved; None without bills."""
        return self.baseline.saving(self.accounting, block=self.block)


def _bits(line: BaselineLine) -> str:
    bits = line.baseline.activation_bits
    return "" if bits is None else f"{bits:g}"


#: `baselines.csv`.
BASELINE_COLUMNS: tuple[Column[BaselineLine], ...] = (
    Column("hw", lambda line: line.hw),
    Column("baseline", lambda line: line.baseline.name),
    Column("ann_precision", lambda x: x.baseline.asa.profile.precision if x.baseline.asa else ""),
    Column("ssa_precision", lambda x: x.baseline.ssa.profile.precision if x.baseline.ssa else ""),
    Column("activation_bits", _bits),
    Column("block", lambda line: line.block or "total"),
    Column("accounting", lambda line: line.accounting),
    Column("ann_pj", lambda line: line.saving and line.saving.asa_pj),
    Column("ssa_pj", lambda line: line.saving and line.saving.ssa_pj),
    Column("saving", lambda line: line.saving and line.saving.saving),
    Column("unpriced", lambda line: op_names(line.saving.unpriced) if line.saving else ""),
    Column("note", lambda line: line.baseline.note),
    Column("model", lambda line: line.run.ssa.model),
    Column("weights", lambda line: line.run.ssa.weights),
    Column("timesteps", lambda line: line.run.ssa.timesteps),
)


def baselines(run: Run) -> Table[BaselineLine]:
    """One row per hardware, baseline, accounting and block."""
    return Table(
        BASELINE_COLUMNS,
        [
            BaselineLine(run, hw, baseline, accounting, block)
            for hw, rows in run.baselines.items()
            for baseline in rows
            for accounting in ACCOUNTINGS
            for block in BLOCKS
        ],
    )


def saved(accounting: str, block: str | None, baseline: Baseline) -> str | None:
    """What is saved against a baseline, for people; None without bills."""
    part = baseline.saving(accounting, block=block)
    if part is None:
        return None
    return "unpriced" if None in (part.asa_pj, part.ssa_pj) else percent(part.saving)


_SHOWN: tuple[Column[Baseline], ...] = (
    Column("baseline", lambda row: row.title, "baseline", words=True, key=True),
    *(
        Column(f"{block}_{accounting}", partial(saved, accounting, block), heading)
        for heading, accounting, block in SHOWN
    ),
    Column("note", lambda row: row.note, "note", words=True),
)


def baseline_table(run: Run, hw: str) -> Table[Baseline]:
    """What is saved against each baseline on one hardware, for people."""
    title = machine_of(*run.estimates[hw]).title
    return Table(_SHOWN, run.baselines[hw], f"Saved against each baseline, {title}")
