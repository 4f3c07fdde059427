"""What `hw validate` says of a profile: what is its own, inherited, unused, without a price."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from rich.console import Console

from hwmodels import HardwareProfile
from hwmodels.plain import printable, several
from hwmodels.usage import unpriced, unused

#: Keys that every profile says of itself.
_NAMES = ("name", "title")


class About(NamedTuple):
    """Who says what of a valid profile, and what no bill can use or price."""

    name: str
    own: list[str]  #: keys that its file, or its precision, says itself
    inherited: dict[str, list[str]]  #: keys by the profile that they are taken from
    unused: list[str]  #: keys that no bill can use, with the reason
    unpriced: list[str]  #: operations that may be counted and have no price


def about(called: str, profile: HardwareProfile, origins: Mapping[str, str]) -> About:
    """Sort the keys of a profile that was loaded as `called`; see `hwmodels.catalog.Checked`."""
    said: dict[str, list[str]] = {}
    for key, by in origins.items():
        if key not in _NAMES:
            said.setdefault(by, []).append(key)
    own = said.pop(called, [])
    missing = [op.value for op in unpriced(profile)]
    return About(profile.name, own, said, list(unused(profile)), missing)


def print_about(called: str, profile: HardwareProfile, said: About, console: Console) -> None:
    """A line for the profile, and one for each kind of its keys; a pipe gets no line broken."""
    number = several(len(profile.prices), "price")
    lines = [(f"{called}: valid profile '{profile.name}', {number}")]
    lines += [f"  {label}: {text or 'nothing'}" for label, text in _kinds(said)]
    for line in map(printable, lines):
        wraps = not console.soft_wrap
        text = textwrap.fill(line, console.width, subsequent_indent="    ") if wraps else line
        console.print(text, soft_wrap=True)


def _kinds(said: About) -> Iterator[tuple[str, str]]:
    yield "own", _grouped(said.own)
    for base, keys in said.inherited.items():
        yield f"inherited from '{base}'", _grouped(keys)
    yield "unused", ", ".join(said.unused)
    yield "without a price", ", ".join(said.unpriced)


def _grouped(keys: Iterable[str]) -> str:
    """Keys with the entries of a table together: "precision, prices (mac, ac)"."""
    tables: dict[str, list[str]] = {}
    for key in keys:
        table, _, entry = key.partition(".")
        tables.setdefault(table, []).extend([entry] * bool(entry))
    return ", ".join(f"{key} ({', '.join(x)})" if x else key for key, x in tables.items())
