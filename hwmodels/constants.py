"""Other values for constants of a profile, for one run: `prices.mac=0.5pJ`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from hwmodels.document import validated
from hwmodels.given import check_kind
from hwmodels.keys import BOTH, CITATION, CURVE, place_of, record_of
from hwmodels.plain import quoted, several, shortened
from hwmodels.prices import Evidence
from hwmodels.profile import HardwareProfile, ProfileError
from hwmodels.usage import unused

#: The end of the name of a profile that was changed: no bill of it may pass for one of the other.
CHANGED = "+set"
#: Characters of the citation that a note repeats.
MAX_NOTE = 1000
#: Those of a clause that stands in a title.
MAX_CLAUSE = 100

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Setting(NamedTuple):
    """A constant and its value for one run."""

    key: str  #: where it stands in a profile, as `prices.mac`, `memory.sram.capacity`
    value: object  #: as TOML would have it: a number, or a text with a unit
    profile: str = ""  #: the name of the profile; empty for all that have the key

    @classmethod
    def parse(cls, text: str) -> Setting:
        """The setting that `KEY=VALUE` or `PROFILE:KEY=VALUE` says.

        Raises:
            ProfileError: If it has no key or no value.
        """
        key, _, value = text.partition("=")
        profile, _, key = key.strip().rpartition(":")
        value = value.strip()
        if not key or not value:
            raise ProfileError(f"must be KEY=VALUE, as prices.mac=0.5pJ, not {quoted(text)}")
        return cls(key, _read(value), profile)

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.profile}:{self.key}={self.value}".removeprefix(":")


def with_constants(
    profile: HardwareProfile, constants: Mapping[str, object], *, by: str = "set for one run"
) -> HardwareProfile:
    """A profile with other values for some of its constants.

    A number keeps no citation that is not its own: its source becomes `by`, its evidence
    `unverified`, its note what it was, unless `source`, `evidence`, `note` or `spread` of the same
    record are given beside it. Name and title say that it was changed, a sentence among its
    assumptions what.

    Args:
        profile: Hardware.
        constants: Values by key: `prices.mac` (or `prices.mac.pj`), `memory.sram` (reads and
            writes), `memory.sram.capacity`, `delivery.mac_reuse`, `static_power`, `core.synapses`,
            `throughput.mac`, `bandwidth.dram`; numbers in the unit of the key, or texts with
            another one. A number that it does not have is added.
        by: Who set them.

    Raises:
        ProfileError: If a key is none of a profile, a value none of that key, or nothing changes.
    """
    check_kind("profile", profile, HardwareProfile, "`load_profile` makes one of a name or a file")
    check_kind("constants", constants, Mapping, "give values by key: {'prices.mac': '0.5 pJ'}")
    table = profile.model_dump(mode="json", exclude_unset=True)
    found = _by_record(profile, constants)
    for path, changes in found.items():
        _change(table, path, changes, by)
    changed = validated(table, f"'{profile.name}' with {', '.join(constants)} {by}")
    said = [clause for path in found for clause in _differences(profile, changed, path)]
    _check_used(changed, found)
    short = len(said) == 1 and len(said[0]) <= MAX_CLAUSE
    what = said[0] if short else several(len(said), "constant")
    return changed.model_copy(
        update={
            "name": f"{profile.name.removesuffix(CHANGED)}{CHANGED}",
            "title": f"{profile.title}, {what} {by}",
            "assumptions": (*profile.assumptions, f"{', '.join(said)}: {by}."),
        }
    )


def _read(text: str) -> object:
    """A number, or a text with a unit as it is."""
    number = _NUMBER.fullmatch(text)
    return text if number is None else float(text) if number[2] else _plain(text)


def _plain(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _by_record(
    profile: HardwareProfile, constants: Mapping[str, object]
) -> dict[tuple[str, ...], dict[str, object]]:
    """What is set, by record and field.

    Raises:
        ProfileError: If a key is none, a field is set twice, or nothing of a record but its
            citation.
    """
    found: dict[tuple[str, ...], dict[str, object]] = {}
    for key, value in constants.items():
        place = place_of(profile, key)
        record = found.setdefault(place.record, {})
        for field in place.fields:
            if field in record:
                path = ".".join((*place.record, field))
                raise ProfileError(f"{path} is set twice; leave one of them out")
            record[field] = _points(value) if field == CURVE else value
    for where, changes in found.items():
        if CURVE in changes and {*BOTH} & changes.keys():
            raise ProfileError(
                f"{'.'.join(where)} is set to a curve and to one price; leave one of them out"
            )
        if not changes.keys() - CITATION:
            called = ".".join(where)
            raise ProfileError(
                f"{called}.{next(iter(changes))} is what a number rests on: set {called} beside it"
            )
    return found


def _change(
    table: dict[str, Any], path: tuple[str, ...], changes: Mapping[str, object], by: str
) -> None:
    """Change a record of the table of a profile, and what it rests on."""
    outer: dict[str, Any] = table if len(path) == 1 else table.setdefault(path[0], {})
    old: Mapping[str, Any] = outer.get(path[-1], {})
    numbers = changes.keys() - CITATION
    kept = dict(old)
    if {*BOTH} <= numbers:
        kept.pop(CURVE, None)
    if CURVE in numbers:
        kept = {field: value for field, value in kept.items() if field not in BOTH}
    if {"mac_reuse", "event_reuse"} & numbers:  # what somebody chose is no uncertain constant
        kept.pop("reuse_range", None)
    whole = kept.keys() - CITATION - {"others"} <= numbers
    source = by if whole else f"{old['source']}; {', '.join(sorted(numbers))} {by}"
    cited: dict[str, object] = {"source": source}
    if whole or any("pj" in field for field in numbers):
        kept.pop("spread", None)
        cited["evidence"] = Evidence.UNVERIFIED.value
    if whole:
        kept = {}
        if old:
            cited["note"] = shortened(f"In place of that of {old['source']}", MAX_NOTE)
    outer[path[-1]] = {**kept, **cited, **changes}
    if path[-1] in (included := table.get("included", {})) and path[0] == "prices":
        table["included"] = {op: why for op, why in included.items() if op != path[1]}


def _differences(
    old: HardwareProfile, new: HardwareProfile, path: tuple[str, ...]
) -> Iterator[str]:
    """A clause for each number of a record that was set.

    Raises:
        ProfileError: If the record is as it was.
    """
    before, after = record_of(old, path), record_of(new, path)
    changed = 0
    for field in type(after).model_fields if after else ():
        was, now = getattr(before, field, None), getattr(after, field)
        if field not in CITATION | {"others"} and was != now and now is not None and now != ():
            changed += 1
            ago = "" if not was else f" in place of {_number(was)}"
            yield f"{'.'.join((*path, field))} = {_number(now)}{ago}"
    if not changed:
        raise ProfileError(
            f"{'.'.join(path)} of '{old.name}' is that already, and setting it changes nothing: "
            f"leave it out, or name another profile, as NAME:{'.'.join(path)}=VALUE"
        )


def _points(value: object) -> object:
    """A curve as TOML has it, of `8KiB:1.25pJ/byte,1MiB:20pJ/byte`.

    Raises:
        ProfileError: If a text is none.
    """
    if isinstance(value, list | tuple):
        return value
    points = [[*map(str.strip, point.partition(":")[::2])] for point in str(value).split(",")]
    if not all(size and pj for size, pj in points):
        raise ProfileError(
            "a curve is SIZE:ENERGY of each array, as 8KiB:1.25pJ/byte,1MiB:20pJ/byte, not "
            f"{quoted(value)}"
        )
    return [[_read(size), _read(pj)] for size, pj in points]


def _number(value: float | tuple[tuple[int, float], ...]) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{size:,} bytes: {pj:.10g} pJ" for size, pj in value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def _check_used(profile: HardwareProfile, records: Iterable[tuple[str, ...]]) -> None:
    """Raise ProfileError if no bill can use what was set."""
    for clause in unused(profile):
        key, _, why = clause.rstrip(")").partition(" (")
        if key in (called := {".".join(path) for path in records}) or (
            key.partition(".")[0] in called
        ):
            raise ProfileError(f"{key} has no effect on '{profile.name}': {why}; leave it out")
