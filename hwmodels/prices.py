"""The numbers of a hardware profile, each with its source and how the source obtained it."""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hwmodels.units import DATA, ENERGY, ENERGY_PER_BYTE, LENGTH, POWER, RATE, reading, schema

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Whole = Annotated[int, Field(gt=0, strict=True)]

# Numbers that a file may write with a unit.
Picojoule = Annotated[NotNegative, reading(ENERGY), schema(ENERGY, minimum=0)]
PicojoulePerByte = Annotated[
    NotNegative, reading(ENERGY_PER_BYTE), schema(ENERGY_PER_BYTE, minimum=0)
]
Watt = Annotated[NotNegative, reading(POWER), schema(POWER, minimum=0)]
PerSecond = Annotated[Positive, reading(RATE), schema(RATE, exclusiveMinimum=0)]
Nanometre = Annotated[Positive, reading(LENGTH), schema(LENGTH, exclusiveMinimum=0)]
ByteWidth = Annotated[Positive, reading(DATA), schema(DATA, exclusiveMinimum=0)]
Bytes = Annotated[Whole, reading(DATA), schema(DATA, type="integer", exclusiveMinimum=0)]

#: Lowest and highest value that can be defended, as multiples of the value.
Spread = tuple[
    Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(ge=1, allow_inf_nan=False)]
]


class Evidence(StrEnum):
    """How the source obtained a number; see the definition of each grade."""

    MEASURED = "measured"
    SIMULATED = "simulated"
    DERIVED = "derived"
    PROJECTED = "projected"
    UNVERIFIED = "unverified"

    @property
    def definition(self) -> str:
        """What the grade claims, in one sentence."""
        return {
            Evidence.MEASURED: "measured on silicon",
            Evidence.SIMULATED: "from circuit or gate-level simulation",
            Evidence.DERIVED: "arithmetic on other numbers that are cited",
            Evidence.PROJECTED: "an estimate of the source, method not stated",
            Evidence.UNVERIFIED: "not read at the source by this project, nor found alike in "
            "several places that quote it",
        }[self]


class Record(BaseModel):
    """Frozen, and an unknown key is an error: a misspelt price must not become an unpriced one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cited(Record):
    """A number that somebody stands for.

    Attributes:
        source: Citation with table or figure.
        evidence: How the source obtained the number.
        note: What a reader must know to use it.
        spread: Lowest and highest value that can be defended, as multiples of the value; None
            where only the evidence grade says how far to trust it.
    """

    source: Sentence
    evidence: Evidence
    note: str = ""
    spread: Spread | None = None


class OtherValue(Record):
    """What another source prints for the same operation.

    Attributes:
        pj: Its value in picojoules.
        source: Citation with table or figure.
    """

    pj: Picojoule
    source: Sentence


class Price(Cited):
    """The energy of one operation.

    Attributes:
        pj: Energy of one operation in picojoules.
        others: Values of sources that disagree.
    """

    pj: Picojoule
    others: tuple[OtherValue, ...] = ()

    @property
    def conflict(self) -> float:
        """Factor by which the values of all sources differ; 1 where they agree."""
        values = [self.pj, *(other.pj for other in self.others)]
        if min(values) == max(values):
            return 1.0
        return max(values) / min(values) if min(values) else inf


class MemoryLevel(Cited):
    """One level of memory.

    A level has a price per byte, or a `curve`: an array of SRAM costs the more the larger it is,
    and holds as much as the buffer that lives in it.

    Attributes:
        read_pj_per_byte: Energy to read one byte, in picojoules; None with a curve.
        write_pj_per_byte: Energy to write one byte, in picojoules; None with a curve.
        curve: Points (bytes of the array, picojoules per byte read or written), by size; between
            them the price is interpolated linearly, outside of them it is that of the end.
        capacity_bytes: How much fits in all instances; None where that is no limit (DRAM).
    """

    read_pj_per_byte: PicojoulePerByte | None = None
    write_pj_per_byte: PicojoulePerByte | None = None
    curve: tuple[tuple[Bytes, PicojoulePerByte], ...] = ()
    capacity_bytes: Bytes | None = None

    @model_validator(mode="after")
    def _check(self) -> MemoryLevel:
        flat = (self.read_pj_per_byte, self.write_pj_per_byte)
        if bool(self.curve) != (flat == (None, None)) or (not self.curve and None in flat):
            raise ValueError(
                "a memory level has read_pj_per_byte and write_pj_per_byte, or a curve of "
                "[bytes, pJ per byte]: give one of the two"
            )
        sizes = [size for size, _ in self.curve]
        if sizes != sorted(set(sizes)):
            raise ValueError(f"the sizes of the curve must increase, but are {sizes}")
        return self


class StaticPower(Cited):
    """What the chip draws when nothing happens.

    Attributes:
        watts: Power in watts.
    """

    watts: Watt


class Throughput(Cited):
    """How many of an operation the whole chip does in a second, when all of it works.

    Attributes:
        per_second: Operations per second.
    """

    per_second: PerSecond


class Bandwidth(Cited):
    """How fast a memory level is, all its instances together.

    Attributes:
        bytes_per_second: Bytes read and written per second.
    """

    bytes_per_second: PerSecond


class Core(Cited):
    """What one core of a many-core chip holds: with it, spikes are charged for the way they go.

    Attributes:
        synapses: Weights per core.
        neurons: Neurons per core.
    """

    synapses: Whole
    neurons: Whole


class SystemFigure(Cited):
    """A measured figure of a whole system, shown for comparison and never part of a bill.

    Attributes:
        what: What was measured, with model and batch.
        value: The figure.
        unit: Its unit, for example `mJ/token`.
    """

    what: Sentence
    value: Positive
    unit: Sentence
