"""Spikes of each layer of neurons in each time step: `steps.csv`, written and read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from energy import Label
from hwmodels.errors import UserError

#: Columns of `steps.csv`, in order; frozen by a test.
STEP_COLUMNS = (
    "variant",
    "layer",
    "block",
    "component",
    "depth",
    "step",
    "spikes",
    "slots",
    "spike_rate",
)


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


def steps_csv(steps: Iterable[StepCount]) -> str:
    """The text of `steps.csv`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(STEP_COLUMNS)
    for one in steps:
        label, rate = one.label, one.spikes / one.slots if one.slots else ""
        depth = "" if label.depth is None else label.depth
        where = (one.variant, one.layer, label.block, label.component, depth)
        writer.writerow((*where, one.step, one.spikes, one.slots, rate))
    return out.getvalue()


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
        if tuple(reader.fieldnames or ()) != STEP_COLUMNS:
            raise StepsError(
                f"spikes per time step '{path}' have the columns "
                f"{', '.join(reader.fieldnames or ()) or 'none'}; they must be "
                f"{', '.join(STEP_COLUMNS)}"
            )
        return tuple(_parsed(row, f"'{path}', line {reader.line_num}") for row in reader)
    except csv.Error as error:
        raise StepsError(f"spikes per time step '{path}' are not valid CSV: {error}") from error


def _parsed(row: dict[str, str], where: str) -> StepCount:
    if None in row or None in row.values():
        raise StepsError(f"{where} has not the {len(STEP_COLUMNS)} columns of the header")

    def whole(column: str) -> int:
        if not (text := row[column]).isdecimal() or len(text) > 18:
            raise StepsError(f"{where}, column '{column}' (= {text!r}) must be a whole number")
        return int(text)

    depth = whole("depth") if row["depth"] else None
    numbers = (whole("step"), whole("spikes"), whole("slots"))
    label = Label(row["block"], row["component"], depth)
    return StepCount(row["layer"], label, *numbers, variant=row["variant"])
