"""Measured servers, which `hw fit` fits prices to."""

from __future__ import annotations

from random import Random

from ..case import Case, Draw
from ..seeds import SERVERS, Seeds
from ..values import HUGE, Rows, cell, change_bytes, change_table, to_csv

_COMMANDS = (
    "hw fit servers.csv --pictures none",
    "hw fit servers.csv --pictures none --json --seed 3",
    "hw fit servers.csv --pictures none --gpu H100 --name mine --out made.toml",
)
_NO_NUMBER = ("-1", "0", "nan", "inf", "1e400", HUGE, "1_000", "٣", "0x10", "True", "--")


def _spoil(random: Random, rows: Rows) -> Rows:
    return cell(rows, random.choice(rows[0][1:]), random.choice(_NO_NUMBER))


_FAULTS = (
    ("no number in a column of servers", _spoil),
    ("an energy without a unit", lambda _, rows: cell(rows, "energy", "1")),
    ("a server without a model", lambda _, rows: cell(rows, "model", " ")),
    ("a model that nobody knows", lambda _, rows: cell(rows, "model", "nothing")),
    ("a number format that nobody knows", lambda _, rows: cell(rows, "precision", "fp3")),
)


def case(draw: Draw, _seeds: Seeds) -> Case:
    """A table, and how it is fitted."""
    rows = draw.changed(draw.spoilt(SERVERS, _FAULTS), change_table)
    data = to_csv(rows, draw.delimiter())
    if draw.random() < 0.3:
        data = draw.changed(data, change_bytes)
    return draw.case(draw.choice(_COMMANDS).split(), {"servers.csv": data})
