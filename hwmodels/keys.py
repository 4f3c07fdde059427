"""Where a constant stands in a profile: `prices.mac`, `memory.sram.capacity`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hwmodels.errors import did_you_mean
from hwmodels.machine import Delivery
from hwmodels.ops import Op
from hwmodels.plain import quoted
from hwmodels.prices import (
    Bandwidth,
    Cited,
    Core,
    MemoryLevel,
    Price,
    Record,
    StaticPower,
    Throughput,
)
from hwmodels.profile import HardwareProfile, ProfileError

#: Records of a profile by the name of their table, and those that stand alone.
_TABLES: Mapping[str, type[Cited]] = {
    "prices": Price,
    "memory": MemoryLevel,
    "throughput": Throughput,
    "bandwidth": Bandwidth,
}
_ALONE: Mapping[str, type[Cited]] = {
    "delivery": Delivery,
    "static_power": StaticPower,
    "core": Core,
}
#: What stands for a number of a record: nothing for the one that matters, or its name without unit.
_SHORT = {
    "": ("pj", "watts", "per_second", "bytes_per_second", "pj_per_byte"),
    "read": ("read_pj_per_byte",),
    "write": ("write_pj_per_byte",),
    "capacity": ("capacity_bytes",),
}
#: What a number rests on.
CITATION = {*Cited.model_fields}
#: Fields that are no number.
LISTS = {"others", "reuse_range"}
#: Of a level of memory, its energy over its size.
CURVE = "curve"
#: What is no constant, and where it is said.
_ELSEWHERE = {
    **dict.fromkeys(
        ("value_bytes", "precision"),
        "is of the arithmetic, which all prices are of: take a profile of that precision (`hw "
        "list`), or a file that extends this one (`hw new NAME --extends`); what is stored in "
        "fewer bits is said by --widths",
    ),
    **{name: f"is said by --{name}" for name in ("widths", "room", "dataflow", "encoding")},
    "fusion": "is said by --fusion",
    "placement": "is no number: write a file that extends this one (`hw new NAME --extends`)",
    "scope": "is no number: write a file of your own (`hw new NAME`)",
}
#: Of a level of memory that has no curve.
BOTH = ("read_pj_per_byte", "write_pj_per_byte")


class Place(NamedTuple):
    """Where a key stands."""

    kind: type[Cited]
    record: tuple[str, ...]  #: the path of the record
    fields: tuple[str, ...]  #: its fields that get the value


def has_constant(profile: HardwareProfile, key: str) -> bool:
    """Whether a profile has a number of that key; raises ProfileError if no profile could."""
    place = place_of(profile, key)
    record = record_of(profile, place.record)
    numbers = {*place.fields} - CITATION
    if isinstance(record, MemoryLevel) and numbers & {*BOTH, CURVE}:
        return True  # either form replaces the other
    return record is not None and (not numbers or any(getattr(record, x) for x in numbers))


def same_constant(a: HardwareProfile, b: HardwareProfile, key: str) -> bool:
    """Whether two profiles have the same record, with all its numbers, of a key."""
    record = place_of(a, key).record
    return record_of(a, record) == record_of(b, record)


def place_of(profile: HardwareProfile, key: str) -> Place:
    """Where a key stands; raises ProfileError, which says the nearest one, if nowhere."""
    places = dict(_places(profile))
    if (place := places.get(key)) is not None:
        return place
    if profile.whole_chip is not None:
        raise ProfileError(
            f"the prices of the whole chip '{profile.name}' were fitted together, and none of them "
            "is changed alone; fit others with `neurt-energy hw fit`"
        )
    if (said := _ELSEWHERE.get(key.partition(".")[0])) is not None:
        raise ProfileError(f"{quoted(key)} of '{profile.name}' {said}")
    hint = did_you_mean(key, places)
    raise ProfileError(
        f"{quoted(key)} is no constant of '{profile.name}'{hint or '; `hw show` lists them'}"
    )


def _places(profile: HardwareProfile) -> Iterator[tuple[str, Place]]:
    """Every key, in all its forms, of numbers that are there or may be added."""
    if profile.whole_chip is not None:
        return
    ops = [op for op in Op if op.buffer is None and op is not Op.DELIVERY]
    names: Mapping[str, Iterable[str]] = {
        "prices": ops,
        "memory": profile.memory,
        "throughput": ops,
        "bandwidth": profile.memory,
    }
    for table, kind in _TABLES.items():
        for name in names[table]:
            yield from _keys(kind, (table, str(name)))
    for name, kind in _ALONE.items():
        yield from _keys(kind, (name,))


def _keys(kind: type[Cited], record: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
    path = ".".join(record)
    fields = [x for x in kind.model_fields if x not in LISTS]
    if kind is MemoryLevel:
        yield path, Place(kind, record, BOTH)
    for field in fields:
        short = next((x for x, of in _SHORT.items() if field in of), None)
        if short is not None:
            yield (f"{path}.{short}" if short else path), Place(kind, record, (field,))
        yield f"{path}.{field}", Place(kind, record, (field,))


def record_of(profile: HardwareProfile, path: tuple[str, ...]) -> Record | None:
    """The record of a profile at a path; None if it has none."""
    found: Any = getattr(profile, path[0])
    record: Record | None = found.get(path[1]) if len(path) > 1 else found
    return record
