"""What a paper prints about the energy of a spiking model, and the CSV file of such claims."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from energy.table import read_rows
from hwmodels.errors import UserError


class ClaimError(UserError, ValueError):
    """A claim that cannot be read, or has a number that is none."""


@dataclass(frozen=True)
class Claim:
    """What is printed about one model. A number that is not printed is None.

    Raises:
        ClaimError: If a number is negative or not finite.
    """

    model: str  #: name, for tables
    #: profile whose prices are claimed to hold; empty to leave the choice to the caller
    hw: str = ""
    true_macs: float | None = None  #: multiply-accumulates of the dense model, known from elsewhere
    ann_ops: float | None = None  #: operations of the ANN as printed, under whatever name
    ann_energy_mj: float | None = None  #: energy of the ANN in millijoules
    #: accumulates (synaptic operations) of the SNN: spikes times fan-out
    snn_ops: float | None = None
    #: multiply-accumulates that stay dense in the SNN, such as a first layer
    snn_macs: float | None = None
    snn_energy_mj: float | None = None  #: energy of the SNN in millijoules
    spike_rate: float | None = None  #: spikes per neuron and time step
    timesteps: float | None = None
    ratio: float | None = None  #: energy of the ANN over that of the SNN, as printed
    #: price of a multiply-accumulate in picojoules; that of the profile if None
    mac_pj: float | None = None
    ac_pj: float | None = None  #: price of an accumulate in picojoules; that of the profile if None
    time_ns: float | None = None  #: nanoseconds printed beside `ac_pj` in the source of that price

    def __post_init__(self) -> None:
        """Refuse what is no number."""
        for name in NUMBERS:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ClaimError(
                    f"claim '{self.model}': '{name}' (= {value}) must be a finite number >= 0, "
                    "or be left out"
                )


#: Columns that are known: `model` is needed, the others where there is something to say.
CLAIM_COLUMNS = tuple(field.name for field in fields(Claim))

#: Fields of a claim that are numbers, in order.
NUMBERS = CLAIM_COLUMNS[2:]


def read_claims(path: Path) -> list[Claim]:
    """Read claims, in the order of the file.

    The header is out of `CLAIM_COLUMNS`; an empty cell is a number that the paper does not print.
    Operations may be given as `22.46e9`.

    Raises:
        ClaimError: If the file cannot be read, has a column that is not known, lacks `model`, or
            has a cell that is no number >= 0; names line and column.
    """
    known = ", ".join(CLAIM_COLUMNS)

    def check(header: list[str]) -> None:
        for column in header:
            if column not in CLAIM_COLUMNS:
                raise ClaimError(f"claims '{path}' have a column '{column}'; known are {known}")
        if "model" not in header:
            raise ClaimError(f"claims '{path}' need the column 'model'; known are {known}")

    rows = read_rows(path, "claims", ClaimError, check, strict=True)
    return [_parse(row, where) for where, row in rows]


def _parse(row: Mapping[str, str], where: str) -> Claim:
    numbers: dict[str, float] = {}
    for column in NUMBERS:
        text = row.get(column, "").strip()
        if not text:
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise ClaimError(
                f"{where}, column '{column}' (= {text!r}) must be a finite number >= 0, or be empty"
            )
        numbers[column] = value
    if not row["model"].strip():
        raise ClaimError(f"{where}, column 'model' is empty: name the claim")
    return Claim(row["model"].strip(), row.get("hw", "").strip(), **numbers)
