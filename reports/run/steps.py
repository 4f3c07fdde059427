"""Spikes of each layer of neurons in each time step: `steps.csv`, written and read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from energy import Label
from energy.table import Column, Table
from hwmodels.errors import UserError


class StepsError(UserError, ValueError):
    """A table of spikes per time step that cannot be read."""


class StepCount(NamedTuple):
    """What one layer of neurons sent in one time step, over all passes of a run.

    Attributes:
        layer: Dotted name of the neurons.
        label: What they are in the architecture.
        step: The time step, from 0.
        spikes: Events; a burst of n units is n of them.
        slots: Values that could have been events.
        variant: `ssa`; an analog model sends none.
    """

    layer: str
    label: Label
    step: int
    spikes: int
    slots: int
    variant: str = "ssa"


#: `steps.csv`.
STEP_COLUMNS: tuple[Column[StepCount], ...] = (
    Column("variant", lambda count: count.variant),
    Column("layer", lambda count: count.layer),
    Column("block", lambda count: count.label.block),
    Column("component", lambda count: count.label.component),
    Column("depth", lambda count: count.label.depth),
    Column("step", lambda count: count.step),
    Column("spikes", lambda count: count.spikes),
    Column("slots", lambda count: count.slots),
    Column("spike_rate", lambda count: count.spikes / count.slots if count.slots else None),
)
_NAMES = [column.name for column in STEP_COLUMNS]


def steps_csv(steps: Iterable[StepCount]) -> str:
    """The text of `steps.csv`."""
    return Table(STEP_COLUMNS, list(steps)).to_csv()


def read_steps(path: Path) -> tuple[StepCount, ...]:
    """Read `steps.csv` back; the spike rates follow from the other columns.

    Raises:
        StepsError: If the file cannot be read, has other columns, or a value that cannot be;
            names line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StepsError(f"spikes per time step '{path}' cannot be read: {error}") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if list(reader.fieldnames or ()) != _NAMES:
            raise StepsError(
                f"spikes per time step '{path}' have the columns "
                f"{', '.join(reader.fieldnames or ()) or 'none'}; they must be "
                f"{', '.join(_NAMES)}"
            )
        return tuple(_parsed(row, f"'{path}', line {reader.line_num}") for row in reader)
    except csv.Error as error:
        raise StepsError(f"spikes per time step '{path}' are not valid CSV: {error}") from error


def _parsed(row: dict[str, str], where: str) -> StepCount:
    if None in row or None in row.values():
        raise StepsError(f"{where} has not the {len(_NAMES)} columns of the header")

    def whole(column: str) -> int:
        if not (text := row[column]).isdecimal() or len(text) > 18:
            raise StepsError(f"{where}, column '{column}' (= {text!r}) must be a whole number")
        return int(text)

    depth = whole("depth") if row["depth"] else None
    numbers = (whole("step"), whole("spikes"), whole("slots"))
    label = Label(row["block"], row["component"], depth)
    return StepCount(row["layer"], label, *numbers, variant=row["variant"])
