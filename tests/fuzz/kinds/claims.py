"""Claims of papers, which `check` reviews."""

from __future__ import annotations

from random import Random

from ..case import Case, Draw
from ..seeds import CLAIMS, Seeds
from ..values import HUGE, Rows, cell, change_bytes, change_table, to_csv

_COMMANDS = (
    "check claims.csv",
    "check claims.csv --json",
    "check claims.csv --hw loihi --tolerance 0.1 --out found.csv",
)
_NO_NUMBER = ("-1", "nan", "inf", "1e400", HUGE, "1_000", "٣", "0x10", "True", "--")


def _spoil(random: Random, rows: Rows) -> Rows:
    return cell(rows, random.choice(rows[0][2:]), random.choice(_NO_NUMBER))


_FAULTS = (
    ("no number in a column of claims", _spoil),
    ("an unknown column of claims", lambda _, rows: cell(rows, "energy", "1")),
    ("a claim without a name", lambda _, rows: cell(rows, "model", " ")),
    ("a spike rate above 1", lambda _, rows: cell(rows, "spike_rate", "1.4")),
    ("a profile that nobody knows", lambda _, rows: cell(rows, "hw", "nothing")),
)


def case(draw: Draw, _seeds: Seeds) -> Case:
    """A table, and how it is reviewed."""
    rows = draw.changed(draw.spoilt(CLAIMS, _FAULTS), change_table)
    data = to_csv(rows, draw.delimiter())
    if draw.random() < 0.3:
        data = draw.changed(data, change_bytes)
    return draw.case(draw.choice(_COMMANDS).split(), {"claims.csv": data})
