"""What a machine is assumed to be beside its prices, and how far that may be off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from energy.bill.estimate import Estimate
from energy.compare.ranges import Origin, UncertainConstant
from hwmodels import Encoding, Evidence, HardwareProfile
from hwmodels.prices import Cited

#: How far the capacity of a memory level is varied: divided and multiplied by so much.
CAPACITY_FACTOR = 4.0
#: Bits of the narrowest accumulators that serve.
NARROW_BITS = 16


class Choice(NamedTuple):
    """An assumption of a machine, and the machine at another value of it."""

    constant: UncertainConstant  #: what it is, with its range
    #: the machine at a multiple of the value
    at: Callable[[HardwareProfile, float], HardwareProfile]

    def multiple(self, place: float) -> float:
        """The multiple at a place from 0, the low end, to 1; of two ways one or the other."""
        low, high = self.constant.low, self.constant.high
        if self.constant.ways:
            return low if place < 0.5 else high
        return float(low * (high / low) ** place)


def choices_of(profile: HardwareProfile) -> tuple[Choice, ...]:
    """Capacities, reuse of fetches, width of accumulators and encoding of spikes of a profile.

    The bound of fusion is none of them: every saving names its own, and tables have both.
    """
    return tuple(_choices(profile))


def _choices(profile: HardwareProfile) -> Iterator[Choice]:
    assumed = partial(_assumption, profile.name)
    near = {level for levels in profile.placement.values() for level in levels[:-1]}
    for name, level in profile.memory.items():
        if name in near and level.capacity_bytes is not None:
            ends = (1 / CAPACITY_FACTOR, CAPACITY_FACTOR)
            constant = assumed(f"capacity.{name}", level.capacity_bytes, "bytes", ends, level)
            yield Choice(constant, partial(_with_capacity, name))
    if (delivery := profile.delivery) is not None and delivery.reuse_range is not None:
        for kind in ("mac_reuse", "event_reuse"):
            reuse = getattr(delivery, kind)
            low, high = delivery.reuse_range
            ends = (min(1.0, low / reuse), max(1.0, high / reuse))
            constant = assumed(f"delivery.{kind}", reuse, "uses", ends, delivery, Origin.STATED)
            yield Choice(constant, partial(_with_reuse, kind))
    if (bits := profile.widths.accumulators) > NARROW_BITS:
        constant = assumed("widths.accumulators", bits, "bits", (NARROW_BITS / bits, 1.0))
        yield Choice(constant, _with_accumulators)
    if profile.encoding is Encoding.CHEAPEST:
        ways = (Encoding.PACKED.value, Encoding.CHEAPEST.value)
        constant = assumed("encoding", 1, "", (0.0, 1.0), ways=ways)
        yield Choice(constant, _with_encoding)


def _assumption(
    hw: str,
    name: str,
    value: float,
    unit: str,
    ends: tuple[float, float],
    cited: Cited | None = None,
    origin: Origin = Origin.ASSUMED,
    ways: tuple[str, str] | None = None,
) -> UncertainConstant:
    evidence = Evidence.UNVERIFIED if cited is None else cited.evidence
    source = "an assumption of the profile" if cited is None else cited.source
    return UncertainConstant(hw, name, (value,), unit, *ends, origin, evidence, source, ways)


def _with_capacity(name: str, profile: HardwareProfile, by: float) -> HardwareProfile:
    level = profile.memory[name]
    assert level.capacity_bytes is not None
    size = max(1, round(level.capacity_bytes * by))
    memory = profile.memory | {name: level.model_copy(update={"capacity_bytes": size})}
    return profile.model_copy(update={"memory": memory})


def _with_reuse(kind: str, profile: HardwareProfile, by: float) -> HardwareProfile:
    assert profile.delivery is not None
    reuse = {kind: getattr(profile.delivery, kind) * by}
    return profile.model_copy(update={"delivery": profile.delivery.model_copy(update=reuse)})


def _with_accumulators(profile: HardwareProfile, by: float) -> HardwareProfile:
    bits: dict[str, Any] = {"accumulators": round(profile.widths.accumulators * by)}
    return profile.model_copy(update={"widths": profile.widths.model_copy(update=bits)})


def _with_encoding(profile: HardwareProfile, by: float) -> HardwareProfile:
    return profile.model_copy(update={"encoding": Encoding.CHEAPEST if by else Encoding.PACKED})


#: An assumption: the hardware and its name there.
Key = tuple[str, str]


def key_of(constant: UncertainConstant) -> Key:
    """What names an assumption among those of several machines."""
    return constant.hw, constant.name


def placed(bill: Estimate, places: Mapping[Key, float]) -> Estimate:
    """A bill with assumptions at places in their ranges; others as the profile says."""
    key = tuple(sorted(places.items()))
    if key not in bill.answers:
        machine = bill.profile
        for choice in choices_of(bill.profile):
            if (place := places.get(key_of(choice.constant))) is not None:
                machine = choice.at(machine, choice.multiple(place))
        bill.answers[key] = bill.on(machine)
    found: Estimate = bill.answers[key]
    return found
