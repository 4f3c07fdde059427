"""Spikes of each layer of neurons in each time step: `steps.csv`, written and read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from energy import Label
from energy.sheet import Sheet, open_sheet
from energy.table import Column, Table, attributes
from hwmodels.errors import UserError
from hwmodels.plain import printable, quoted, shortened


class StepsError(UserError, ValueError):
    """A table of spikes per time step that cannot be read."""


class StepCount(NamedTuple):
    """What one layer of neurons sent in one time step, over all passes of a run."""

    layer: str  #: dotted name of the neurons
    label: Label  #: what they are in the architecture
    step: int  #: the time step, from 0
    spikes: int  #: events; a burst of n units is n of them
    slots: int  #: values that could have been events
    variant: str = "ssa"  #: `ssa`; an analog model sends none


#: `steps.csv`.
STEP_COLUMNS: tuple[Column[StepCount], ...] = (
    *attributes("", "variant", "layer"),
    *attributes("label", "block", "component", "depth"),
    *attributes("", "step", "spikes", "slots"),
    Column("spike_rate", lambda count: count.spikes / count.slots if count.slots else None),
)


def steps_csv(steps: Iterable[StepCount]) -> str:
    """The text of `steps.csv`."""
    return Table(STEP_COLUMNS, list(steps)).to_csv()


def read_steps(path: Path) -> tuple[StepCount, ...]:
    """Read `steps.csv` back; the spike rates follow from the other columns.

    Raises:
        StepsError: If the file cannot be read, has other columns, or a value that cannot be;
            names line and column.
    """
    names = [column.name for column in STEP_COLUMNS]
    with open_sheet(path, "spikes per time step", StepsError, strict=True) as sheet:
        if sheet.header != names:
            listed = shortened(printable(", ".join(sheet.header))) or "none"
            raise StepsError(
                f"spikes per time step have the columns {listed}; they must be {', '.join(names)}"
            )
        return tuple(
            _parsed(dict(zip(names, row, strict=True)), sheet, line) for line, row in sheet.rows
        )


def _parsed(row: dict[str, str], sheet: Sheet, line: int) -> StepCount:
    def whole(column: str) -> int:
        text = row[column]
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            value = quoted(text, 40)
            raise sheet.fault(line, f", column '{column}' (= {value}) must be a whole number")
        return int(text)

    depth = whole("depth") if row["depth"] else None
    numbers = (whole("step"), whole("spikes"), whole("slots"))
    label = Label(row["block"], row["component"], depth)
    return StepCount(row["layer"], label, *numbers, variant=row["variant"])
