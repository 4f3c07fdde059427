"""Tables of counts: ours, and those of other tools."""

from __future__ import annotations

from random import Random

from ..case import Case, Draw
from ..seeds import FOREIGN, Seeds
from ..values import HOSTILE, HUGE, Rows, cell, change_bytes, change_table, to_csv

_COMMANDS = (
    "price counts.csv --hw 45nm",
    "price counts.csv --hw loihi --hw 45nm-int8 --json",
    "price counts.csv --hw 45nm --accounting lemaire",
    "price counts.csv --hw 45nm --dataflow event-driven",
    "breakeven --run counts.csv --hw 45nm --pictures none --out even",
    "sensitivity counts.csv --hw 45nm --samples 50 --pictures none --out study",
)
_NO_NUMBER = (
    "-1",
    "nan",
    "inf",
    "-Infinity",
    "1e400",
    HUGE,
    "1_000",
    "٣",
    "0x10",
    "True",
    "--",
    "1e",
)


def _no_number(random: Random, rows: Rows) -> Rows:
    return cell(rows, "mac", random.choice(_NO_NUMBER), random.randrange(1, len(rows)))


def _twice(random: Random, rows: Rows) -> Rows:
    row = random.choice([row for row in rows[1:] if any(value not in "0" for value in row[1:])])
    return [*rows, row]


def _with(column: str, *values: str, line: int = 1) -> tuple[str, object]:
    return f"{column} of a row of counts", lambda r, rows: cell(
        rows, column, r.choice(values), line
    )


_FAULTS = (
    ("no number in a column of counts", _no_number),
    ("the same row twice", _twice),
    _with("timesteps", "0", "-1", "1.5", "1000000000", "1_0", "٣", "x"),
    _with("batch", "0", "-2", "1e400", "true"),
    _with("value_bytes", "0", "-4", "1e30"),
    _with("phase", "sideways", "prefil"),
    _with("attention", "half"),
    _with("calls", "-1", "nan"),
    _with("zero_macs", "1e30", "-1"),
    _with("depth", "-1", "a"),
)


def _spikes(_random: Random, rows: Rows) -> Rows:
    return cell(cell(rows, "spikes", "500"), "slots", "100")


_ALL = (*_FAULTS, ("more spikes than slots can hold", _spikes))


def case(draw: Draw, seeds: Seeds) -> Case:
    """A table, and a command that reads it."""
    own = draw.random() < 0.5
    rows = draw.spoilt(seeds.counts if own else FOREIGN, _ALL)
    if draw.random() < 0.2 and not draw.nonsense:  # a name that must be shown, and run nothing
        rows = cell(rows, "layer", draw.choice(HOSTILE[4:]), 1)
    rows = draw.changed(rows, change_table) if draw.random() < 0.8 else rows
    data = to_csv(rows, draw.delimiter())
    if draw.random() < 0.3:
        data = draw.changed(data, change_bytes)
    words = draw.choice(_COMMANDS if own else _COMMANDS[:4]).split()
    return draw.case(words, {"counts.csv": data}, valid=False)
