"""Spikes of each layer of neurons in each time step: `steps.csv`, written and read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from energy import Label
from energy.table import Column, Table, attributes, read_rows
from hwmodels.errors import UserError


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
    rows = read_rows(path, "spikes per time step", StepsError, _check, strict=True)
    return tuple(_parsed(row, where) for where, row in rows)


def _check(header: list[str]) -> None:
    names = [column.name for column in STEP_COLUMNS]
    if header != names:
        raise StepsError(
            f"spikes per time step have the columns {', '.join(header) or 'none'}; they must be "
            f"{', '.join(names)}"
        )


def _parsed(row: dict[str, str], where: str) -> StepCount:
    def whole(column: str) -> int:
        if not (text := row[column]).isdecimal() or len(text) > 18:
            raise StepsError(f"{where}, column '{column}' (= {text!r}) must be a whole number")
        return int(text)

    depth = whole("depth") if row["depth"] else None
    numbers = (whole("step"), whole("spikes"), whole("slots"))
    label = Label(row["block"], row["component"], depth)
    return StepCount(row["layer"], label, *numbers, variant=row["variant"])
