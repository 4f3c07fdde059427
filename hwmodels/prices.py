"""The numbers of a hardware profile, each with its source and how the source obtained it."""

from __future__ import annotations

from math import inf
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from hwmodels.defined import Defined
from hwmodels.each import ENERGY_EACH
from hwmodels.plain import checked_name, one_line
from hwmodels.units import (
    DATA,
    DATA_RATE,
    ENERGY_PER_BYTE,
    LENGTH,
    POWER,
    RATE,
    Magnitude,
)

# Texts: on one line, without characters that command a terminal, and of a length that tables and
# pictures have room for.
_LINE = AfterValidator(one_line)
_SHORT = StringConstraints(strip_whitespace=True, min_length=1, max_length=64)
_LONG = StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)
Word = Annotated[str, _SHORT, _LINE]
Sentence = Annotated[str, _LONG, _LINE]
Note = Annotated[str, StringConstraints(max_length=4000), _LINE]
Name = Annotated[Word, AfterValidator(checked_name)]

# The least and the most that a number may be. What no machine has is a slip, nearly always of the
# unit, and its bill would look like any other. All ends are far outside of what is built, so that
# no honest number is refused.
_Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
_Count = Annotated[int, Field(strict=True)]

# An operation or a byte: 1 aJ is 350 times the least that erasing one bit costs at 300 K (Landauer,
# kT ln 2), and a 7,000th of the INT8 addition of 7nm.toml; 1 mJ is 100,000 times a MAC of a CPU
# (8,600 pJ, kerasspiking-cpu.toml). 0.5 pJ are 5e-7 µJ and 5e-13 J.
Picojoule = Annotated[_Number, Magnitude(1e-6, 1e9, ENERGY_EACH, zero=True, mistaken=("µJ", "J"))]
PicojoulePerByte = Annotated[
    _Number,
    Magnitude(1e-6, 1e9, ENERGY_PER_BYTE, zero=True, mistaken=("µJ/byte", "J/byte")),
]
# Static power: chips that sleep leak some pW; the largest supercomputers draw 30 MW.
Watt = Annotated[_Number, Magnitude(1e-12, 1e8, POWER, zero=True)]
# Throughput: 1e22 a second are 10,000 exascale machines.
PerSecond = Annotated[_Number, Magnitude(1, 1e22, RATE)]
BytesPerSecond = Annotated[_Number, Magnitude(1, 1e22, DATA_RATE)]
# Technology node: 0.1 nm is less than an atom of silicon; 0.1 mm is more than the first chips had.
Nanometre = Annotated[_Number, Magnitude(0.1, 1e5, LENGTH, mistaken=("µm", "m"))]
# A value: from one bit to the 128 bits of the widest floating-point number of IEEE 754.
ByteWidth = Annotated[_Number, Magnitude(0.125, 16, DATA, mistaken=("bit",))]
# A memory: 1 EiB is 100 times that of the largest supercomputers.
Bytes = Annotated[_Count, Magnitude(1, 2**60, DATA)]
# A core: a human brain has 1e15 synapses.
Whole = Annotated[_Count, Magnitude(1, 10**15)]
# Uses of one fetch: a buffer beside the adders is refilled before it has served a billion.
Reuse = Annotated[_Number, Magnitude(1, 1e9)]
# Sequences side by side: 10,000,000 are more than any machine holds the caches of.
Sequences = Annotated[_Number, Magnitude(1, 1e7)]
# A figure of a system: whatever its unit, what the prefixes of units span.
Figure = Annotated[_Number, Magnitude(1e-18, 1e18)]

#: Lowest and highest value that can be defended, as multiples of the value. Whoever is unsure by
#: more than a thousand does not know it.
Spread = tuple[
    Annotated[_Number, Magnitude(1e-3, 1)],
    Annotated[_Number, Magnitude(1, 1e3)],
]


class Evidence(Defined):
    """How the source obtained a number; see the definition of each grade."""

    MEASURED = "measured", "measured on silicon"
    SIMULATED = "simulated", "from circuit or gate-level simulation"
    DERIVED = "derived", "arithmetic on other numbers that are cited"
    PROJECTED = "projected", "an estimate of the source, method not stated"
    UNVERIFIED = (
        "unverified",
        "not read at the source by this project, nor found alike in several places that quote it",
    )


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
    note: Note = ""
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

    bytes_per_second: BytesPerSecond


class Core(Cited):
    """What one core of a many-core chip holds: with it, spikes are charged for the way they go.

    Attributes:
        synapses: Weights per core.
        neurons: Neurons per core.
    """

    synapses: Whole
    neurons: Whole
