"""What a paper prints about the energy of a spiking model, and the CSV file of such claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from energy.numerals import MAX_NUMBER, MAX_TIMESTEPS
from energy.sheet import Say, Sheet, open_sheet, warn
from hwmodels.each import energy_of
from hwmodels.errors import UserError
from hwmodels.ops import Op
from hwmodels.plain import quoted


class ClaimError(UserError, ValueError):
    """A claim that cannot be read, or has a number that is none."""


@dataclass(frozen=True)
class Claim:
    """What is printed about one model. A number that is not printed is None.

    Raises:
        ClaimError: If a number is not from 0 to 1e30, or a spike rate not from 0 to 1.
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
    spike_rate: float | None = None  #: spikes per neuron and time step, 0 to 1
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
            if value is not None and not 0 <= value <= MAX_NUMBER:  # NaN is neither
                raise ClaimError(
                    f"claim {quoted(self.model)}: '{name}' (= {value}) must be a number from 0 to "
                    "1e30, or be left out"
                )
        if self.spike_rate is not None and self.spike_rate > 1:
            raise ClaimError(
                f"claim {quoted(self.model)}: 'spike_rate' (= {self.spike_rate:g}) must be from 0 "
                "to 1, spikes per neuron and time step; divide a rate of all time steps by their "
                "number, and leave out that of bursts"
            )


#: Columns that are known: `model` is needed, the others where there is something to say.
CLAIM_COLUMNS = tuple(field.name for field in fields(Claim))

#: Fields of a claim that are numbers, in order.
NUMBERS = CLAIM_COLUMNS[2:]

#: Those that are prices, which may stand with a unit.
_PRICED = {"mac_pj": Op.MAC, "ac_pj": Op.AC}


def read_claims(path: Path, say: Say = warn) -> list[Claim]:
    """Read claims, in the order of the file.

    The header is out of `CLAIM_COLUMNS`, in any case; an empty cell is a number that the paper does
    not print. Operations may be given as `22.46e9` or `22.46G`, prices as `4.6 pJ/MAC`.

    Args:
        path: A CSV file with a header.
        say: Told in a sentence each what was understood; a warning unless given.

    Raises:
        ClaimError: If the file cannot be read, has a column that is not known, lacks `model`, has a
            cell that is no number from 0 to 1e30, a spike rate above 1, or a row twice; names line
            and column.
    """
    with open_sheet(path, "claims", ClaimError, strict=True) as sheet:
        said = _understand(sheet)
        claims: dict[Claim, int] = {}
        for line, row in sheet.rows:
            claim = _parse(dict(zip(sheet.header, row, strict=True)), sheet, line)
            if (earlier := claims.setdefault(claim, line)) != line:
                raise sheet.fault(line, f" is the same as line {earlier}; leave one of them out")
    for sentence in said + sheet.numerals.said():
        say(f"{sheet.called}: {sentence}")
    return list(claims)


def _understand(sheet: Sheet) -> list[str]:
    """Give columns their names in lower case; refuse those that are not known."""
    known = ", ".join(CLAIM_COLUMNS)
    renamed = sheet.rename({name: name.casefold().replace(" ", "_") for name in sheet.header})
    for column in sheet.header:
        if column not in CLAIM_COLUMNS:
            raise ClaimError(f"{sheet.called} have a column {quoted(column)}; known are {known}")
    if "model" not in sheet.header:
        raise ClaimError(f"{sheet.called} need the column 'model'; known are {known}")
    return renamed


def _parse(row: Mapping[str, str], sheet: Sheet, line: int) -> Claim:
    numbers = {
        column: _number(sheet, line, column, text)
        for column in NUMBERS
        if (text := row.get(column, "").strip())
    }
    steps = numbers.get("timesteps", 1.0)
    if not (1 <= steps <= MAX_TIMESTEPS and steps.is_integer()):
        raise sheet.fault(
            line,
            f", column 'timesteps' (= {steps:g}) must be an integer from 1 to {MAX_TIMESTEPS:,}",
        )
    if not row["model"].strip():
        raise sheet.fault(line, ", column 'model' is empty: name the claim")
    try:
        return Claim(row["model"].strip(), row.get("hw", "").strip(), **numbers)
    except ClaimError as error:
        raise sheet.fault(line, f": {error}") from error


def _number(sheet: Sheet, line: int, column: str, text: str) -> float:
    """The number in a cell; a price may have its unit, as 0.9 pJ/SOP."""
    op = _PRICED.get(column)
    if op is None or "J" not in text:
        return float(sheet.number(line, column, text))
    try:
        return energy_of(op, text)
    except ValueError as bad:
        raise sheet.fault(line, f", column '{column}' (= {quoted(text, 40)}) {bad}") from bad
