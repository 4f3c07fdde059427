"""What a table of costs does not say of a memory, and somebody else does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from hwmodels import ProfileError
from hwmodels.errors import did_you_mean
from hwmodels.plain import quoted
from reports.hardware.cost_keys import level_of
from reports.hardware.cost_rows import Row


class Access(NamedTuple):
    """A memory, as its table does not describe it."""

    bits: float | None = None  #: of one access
    capacity_bytes: int | None = None  #: of all its instances together


NOTHING: Mapping[str, Access] = MappingProxyType({})


def with_access(cells: Mapping[str, str], about: Mapping[str, Access]) -> Mapping[str, str]:
    """The cells of a row, with bits and capacity where it says none."""
    given = about.get(level_of(cells["component"]), Access())
    said = {
        "bits": f"{given.bits:g}" if given.bits else "",
        "capacity": f"{given.capacity_bytes} bytes" if given.capacity_bytes else "",
    }
    return {**cells, **{key: text for key, text in said.items() if text and not cells.get(key)}}


def check_levels(path: Path, components: Iterable[str], about: Mapping[str, Access]) -> None:
    """Raise ProfileError if something is said of a memory that a table has not."""
    known = dict.fromkeys(map(level_of, components))
    for level in about:
        if level not in known:
            hint = did_you_mean(level, known) or f"; it has {', '.join(known)}"
            raise ProfileError(f"costs '{path}' have no component {quoted(level)}{hint}")


def whole_levels(rows: Iterable[Row]) -> list[Row]:
    """Rows of which a memory has one number for a read and one for a write, or no price.

    A memory that is updated and written is priced by its writes; one of which only an end has a
    number has no price. What is left out says why.
    """
    rows = list(rows)
    ends: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if row.key.startswith("memory."):
            level, end = row.key.split(".")[1:]
            ends.setdefault(level, {}).setdefault(end, []).append(row)

    def kept(row: Row) -> Row:
        if not row.key.startswith("memory."):
            return row
        level, end = row.key.split(".")[1:]
        if missing := {"read", "write"} - ends[level].keys():
            why = f"memory.{level} has no {missing.pop()}"
            return row._replace(key="", why=why)
        writes = [it for it in ends[level][end] if it.action.casefold() == "write"]
        if row.action.casefold() == "update" and writes:
            same = "at the same price" if writes[0].energy == row.energy else "at another price"
            return row._replace(key="", why=f"an update is taken to be a write, {same}")
        return row

    return [kept(row) for row in rows]
