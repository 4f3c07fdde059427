"""A TOML file of hardware: one profile, its precisions, and what it extends."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hwmodels.compose import Whole, derived_title
from hwmodels.doubts import ProfileWarning, doubts
from hwmodels.errors import did_you_mean
from hwmodels.inputs import parse_toml, read_utf8
from hwmodels.plain import MAX_VALUE, printable, quoted
from hwmodels.profile import HardwareProfile, ProfileError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: A profile is a page of text (11 kB, the largest built-in one); what is much larger is no profile.
MAX_PROFILE_BYTES = 1 << 18

#: Precisions of one file: number formats of one chip.
MAX_PRECISIONS = 32

#: Files that extend one another. More than a reader can follow.
MAX_DEPTH = 8


@dataclass(frozen=True)
class Document:
    """What a file says, not yet validated."""

    name: str  #: name or path, as error messages call it
    table: Mapping[str, Any]  #: the parsed TOML
    path: Path | None = None  #: the file; None for built-in profiles and plug-ins

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file.

        Raises:
            ProfileError: If it cannot be read or is not TOML.
        """
        called = f"hardware profile '{path}'"
        text = read_utf8(path, called, ProfileError, MAX_PROFILE_BYTES)
        return cls.parse(text, str(path), path)

    @classmethod
    def parse(cls, text: str, name: str, path: Path | None = None) -> Document:
        """Parse TOML.

        Raises:
            ProfileError: If it is not TOML, or its precisions are not partial profiles.
        """
        table = parse_toml(text, f"hardware profile '{name}'", ProfileError)
        document = cls(name, table, path)
        document._check()
        return document

    @property
    def precisions(self) -> Mapping[str, Mapping[str, Any]]:
        """Partial profiles by precision; the default of the file is not among them."""
        parts: Mapping[str, Mapping[str, Any]] = self.table.get("precisions", {})
        return parts

    def reference(self, precision: str | None) -> str:
        """What to load to get a precision of this file; None is its default."""
        if precision is None:
            return self.name
        return f"{self.name}-{precision}" if self.path is None else f"{self.name}:{precision}"

    def _check(self) -> None:
        parts: object = self.table.get("precisions", {})
        if not isinstance(parts, dict) or not all(isinstance(x, dict) for x in parts.values()):
            raise ProfileError(
                f"hardware profile '{self.name}': key 'precisions' must hold tables, such as "
                "[precisions.int8]"
            )
        if len(parts) > MAX_PRECISIONS:
            raise ProfileError(
                f"hardware profile '{self.name}' has {len(parts):,} precisions; at most "
                f"{MAX_PRECISIONS} may be in one file"
            )
        for precision, part in parts.items():
            for key in ("extends", "precisions"):
                if key in part:
                    raise ProfileError(
                        f"hardware profile '{self.name}': unknown key 'precisions.{precision}."
                        f"{key}'; a precision changes the default of its file and nothing else"
                    )


Find = Callable[[str, Path | None], tuple[Document, str | None]]


def compose(document: Document, precision: str | None, find: Find) -> HardwareProfile:
    """Make the profile that a document describes, at one of its precisions; None is its default.

    `find` opens what a file extends, by reference and the folder of the file.

    Warns:
        ProfileWarning: Where it is valid, and probably not what was meant.

    Raises:
        ProfileError: If it, or one that it extends, does not follow the schema, or extends itself.
    """
    called = _called(document, precision)
    whole = _composed(document, precision, find, ())
    profile = validated(whole.table, called)
    own = document.table if precision is None else document.precisions.get(precision, {})
    # The levels of a package may be for those who extend it, as hbm2 of 7nm is.
    levels = own.get("memory", ()) if document.path else ()
    for doubt in doubts(profile, levels, whole.foreign):
        warnings.warn(printable(f"{called}: {doubt}"), ProfileWarning, stacklevel=2)
    return profile


def origins(document: Document, precision: str | None, find: Find) -> Mapping[str, str]:
    """Who said each key of the profile that `compose` makes, as `Whole.origins` has it."""
    return _composed(document, precision, find, ()).origins


def validated(table: Mapping[str, Any], called: str) -> HardwareProfile:
    """Check a whole profile against the schema.

    Raises:
        ProfileError: Says `called`, the first key at fault, its value and the rule.
    """
    try:
        return HardwareProfile.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        faults = list(dict.fromkeys(fault for one in errors for fault in _faults(one)))
        more = f" ({len(faults) - 1} more: see `neurt-energy hw validate`)" if faults[1:] else ""
        raise ProfileError(f"{called}: {faults[0]}{more}", faults) from error


def _called(document: Document, precision: str | None) -> str:
    return f"hardware profile '{document.reference(precision)}'"


def _composed(
    document: Document, precision: str | None, find: Find, trail: tuple[str, ...]
) -> Whole:
    table, parent = document.table, document.table.get("extends")
    whole = Whole({})
    if parent is not None:
        whole = _parent(document, parent, find, trail)
        name = table.get("name", document.path.stem if document.path else document.name)
        table = {"name": name, "title": derived_title(whole.table["title"], name), **table}
    whole = whole.overlaid(table, name=document.name, onto=str(parent))
    default = whole.table.get("precision")
    if isinstance(default, str) and default in document.precisions:
        raise ProfileError(
            f"hardware profile '{document.name}': 'precisions.{default}' is the precision of its "
            "default; rename one of them"
        )
    if precision is None or precision == default:
        return whole
    if (change := document.precisions.get(precision)) is None:
        others = ", ".join([f"{default} (the default)", *document.precisions])
        raise ProfileError(
            f"hardware profile '{document.name}' has no precision {quoted(precision)}; it has "
            f"{others}"
        )
    named = {
        "name": f"{whole.table.get('name')}-{precision}",
        "title": f"{whole.table.get('title')}, {precision}",
        "precision": precision,
    }
    called = document.reference(precision)
    return whole.overlaid(named | dict(change), name=called, onto=document.name)


def _parent(document: Document, reference: object, find: Find, trail: tuple[str, ...]) -> Whole:
    called = f"hardware profile '{document.name}'"
    if not isinstance(reference, str):
        raise ProfileError(
            f"{called}: key 'extends' (= {quoted(reference)}) must be a name, or the path of a "
            ".toml file"
        )
    folder = document.path.parent if document.path else None
    try:
        parent, precision = find(reference, folder)
    except ProfileError as error:
        raise ProfileError(f"{called} extends '{reference}', but {error}") from error
    here = (*trail, _identity(document))
    if _identity(parent) in here:
        circle = (*here[here.index(_identity(parent)) :], _identity(parent))
        chain = " -> ".join(Path(name).name for name in circle)
        raise ProfileError(f"{called} extends itself: {chain}; take one of these out")
    if len(here) > MAX_DEPTH:
        raise ProfileError(
            f"{called} is the end of a chain of {len(here)} files that extend one another; "
            f"at most {MAX_DEPTH} may"
        )
    try:
        whole = _composed(parent, precision, find, here)
        validated(whole.table, _called(parent, precision))
    except ProfileError as error:
        if trail:  # whoever asked for the profile names both; the files between say no more
            raise
        raise ProfileError(f"{called} extends '{reference}', but {error}") from error
    return whole


def _identity(document: Document) -> str:
    return document.name if document.path is None else str(document.path.resolve())


def _faults(error: ErrorDetails) -> list[str]:
    """What is wrong: the key, its value and the rule."""
    key = quoted(".".join(str(part) for part in error["loc"] if part != "[key]"))
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # rules that span several keys name them themselves, each in a line
        return message.split("\n")
    if error["type"] == "extra_forbidden":
        return [f"unknown key {key}; `neurt-energy hw schema` lists the keys"]
    if error["type"] == "missing":
        return [f"key {key} is missing"]
    if error["type"] in ("enum", "literal_error"):
        known = re.findall("'([^']*)'", error["ctx"]["expected"])
        listed = ", ".join(known)
        rule = f"one of {listed}" if len(listed) < MAX_VALUE else "what `hw schema` lists"
        message = f"must be {rule}{did_you_mean(str(error['input']), known)}"
    return [f"key {key} (= {quoted(error['input'])}): {message}"]
