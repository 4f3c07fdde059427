"""How far each constant of a profile may be off, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwmodels import Evidence, HardwareProfile, Price
from hwmodels.defined import Defined
from hwmodels.prices import Cited

#: How far a constant is varied if nobody states how far it may be off: divided and multiplied by
#: so much. Chosen by this project; no source grades its numbers like this.
GRADE_FACTORS = {
    Evidence.MEASURED: 1.1,
    Evidence.SIMULATED: 1.2,
    Evidence.DERIVED: 1.3,
    Evidence.PROJECTED: 1.5,
    Evidence.UNVERIFIED: 2.0,
}


_GRADES = ", ".join(f"{grade} x/{by:g}" for grade, by in GRADE_FACTORS.items())


class Origin(Defined):
    """Who says how far a constant may be off."""

    STATED = "stated", "the range that the profile states"
    SOURCES = (
        "sources conflict",
        "from the lowest to the highest value that conflicting sources print",
    )
    GRADE = "our choice", f"chosen by this project from the evidence grade: {_GRADES}"
    ASSUMED = (
        "assumed",
        "chosen by this project: a quarter to four times of a capacity, accumulators from 16 bits, "
        "both ways of a choice",
    )


@dataclass(frozen=True)
class UncertainConstant:
    """One number of a profile that energy is proportional to, and how far it may be off.

    A memory level is one constant: its reads, its writes and all points of its curve move
    together.
    """

    hw: str  #: name of the profile
    #: where it stands in the profile: `prices.mac`, `memory.dram`, `delivery`, `static_power` or
    #: `throughput.mac`; of an assumption `capacity.sram`, `delivery.mac_reuse`, ...
    name: str
    #: the number; of a memory level its lowest and highest energy per byte
    values: tuple[float, ...]
    unit: str
    low: float  #: lowest value, as a multiple of the number
    high: float  #: highest value, likewise
    origin: Origin  #: who says so
    evidence: Evidence  #: how its source obtained it
    source: str
    ways: tuple[str, str] | None = None  #: words of both ends, where it is a choice and no number


def constants_of(profile: HardwareProfile) -> tuple[UncertainConstant, ...]:
    """The constants of a profile that energy depends on, in the order of the profile.

    What a core holds is none of them: it decides how far a spike travels, in steps.
    """

    def constant(name: str, cited: Cited, unit: str, *values: float) -> UncertainConstant:
        low, high, origin = _range(cited)
        spread = tuple(sorted({min(values), max(values)}))
        grade, source = cited.evidence, cited.source
        return UncertainConstant(profile.name, name, spread, unit, low, high, origin, grade, source)

    def all_of_them() -> Iterator[UncertainConstant]:
        for op, price in profile.prices.items():
            yield constant(f"prices.{op}", price, "pJ", price.pj)
        for name, level in profile.memory.items():
            flat = (level.read_pj_per_byte, level.write_pj_per_byte)
            points = [pj for _, pj in level.curve] or [pj for pj in flat if pj is not None]
            yield constant(f"memory.{name}", level, "pJ/byte", *points)
        if (delivery := profile.delivery) is not None:
            yield constant("delivery", delivery, "pJ/byte", delivery.pj_per_byte)
        if (static := profile.static_power) is not None:
            yield constant("static_power", static, "W", static.watts)
        for op, rate in profile.throughput.items():
            yield constant(f"throughput.{op}", rate, "per second", rate.per_second)

    return tuple(all_of_them())


def _range(cited: Cited) -> tuple[float, float, Origin]:
    """Lowest and highest multiple of a constant, and who says so."""
    if cited.spread is not None:
        return *cited.spread, Origin.STATED
    if isinstance(cited, Price) and cited.pj:
        # A value of 0 is no multiple of another that can be drawn from a logarithmic range.
        multiples = [1.0, *(other.pj / cited.pj for other in cited.others if other.pj)]
        if len(set(multiples)) > 1:
            return min(multiples), max(multiples), Origin.SOURCES
    factor = GRADE_FACTORS[cited.evidence]
    return 1 / factor, factor, Origin.GRADE
