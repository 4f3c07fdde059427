"""A TOML file of hardware: one profile, its precisions, and what it extends."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hwmodels.compose import derived_title, overlay
from hwmodels.profile import HardwareProfile, ProfileError

#: A profile is a page of text; anything much larger is the wrong file.
MAX_PROFILE_BYTES = 1_000_000

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
        if not path.exists():
            raise ProfileError(f"{called} does not exist")
        if not path.is_file():
            raise ProfileError(f"{called} is not a file; give the path of a .toml file")
        if (size := path.stat().st_size) > MAX_PROFILE_BYTES:
            raise ProfileError(
                f"{called} has {size:,} bytes, but a profile is a page of text (at most "
                f"{MAX_PROFILE_BYTES:,}); is it the right file?"
            )
        try:
            return cls.parse(path.read_bytes().decode("utf-8-sig"), str(path), path)
        except UnicodeDecodeError as error:
            raise ProfileError(f"{called} is not UTF-8 text at byte {error.start}") from error
        except OSError as error:
            raise ProfileError(f"{called} cannot be read: {error.strerror or error}") from error

    @classmethod
    def parse(cls, text: str, name: str, path: Path | None = None) -> Document:
        """Parse TOML.

        Raises:
            ProfileError: If it is not TOML, or its precisions are not partial profiles.
        """
        try:
            document = cls(name, tomllib.loads(text), path)
        except (RecursionError, ValueError) as error:  # also of a number that Python refuses
            fault = "nested too deep" if isinstance(error, RecursionError) else error
            raise ProfileError(f"hardware profile '{name}' is not valid TOML: {fault}") from error
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

    Raises:
        ProfileError: If it, or one that it extends, does not follow the schema, or extends itself.
    """
    return validated(_composed(document, precision, find, ()), _called(document, precision))


def validated(table: Mapping[str, Any], called: str) -> HardwareProfile:
    """Check a whole profile against the schema.

    Raises:
        ProfileError: Says `called`, the first key at fault, its value and the rule.
    """
    try:
        return HardwareProfile.model_validate(table)
    except ValidationError as error:
        raise ProfileError(f"{called}: {_first_fault(error)}") from error


def _called(document: Document, precision: str | None) -> str:
    return f"hardware profile '{document.reference(precision)}'"


def _composed(
    document: Document, precision: str | None, find: Find, trail: tuple[str, ...]
) -> dict[str, Any]:
    table, parent = document.table, document.table.get("extends")
    whole: dict[str, Any] = {}
    if parent is not None:
        whole = _parent(document, parent, find, trail)
        name = table.get("name", document.path.stem if document.path else document.name)
        table = {"name": name, "title": derived_title(whole["title"], name), **table}
    whole = overlay(whole, table, name=document.name, onto=str(parent))
    default = whole.get("precision")
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
            f"hardware profile '{document.name}' has no precision '{precision}'; it has {others}"
        )
    named = {
        "name": f"{whole.get('name')}-{precision}",
        "title": f"{whole.get('title')}, {precision}",
        "precision": precision,
    }
    called = document.reference(precision)
    return overlay(whole, named | dict(change), name=called, onto=document.name)


def _parent(
    document: Document, reference: object, find: Find, trail: tuple[str, ...]
) -> dict[str, Any]:
    called = f"hardware profile '{document.name}'"
    if not isinstance(reference, str):
        raise ProfileError(
            f"{called}: key 'extends' (= {reference!r}) must be a name, or the path of a .toml file"
        )
    folder = document.path.parent if document.path else None
    try:
        parent, precision = find(reference, folder)
    except ProfileError as error:
        raise ProfileError(f"{called} extends '{reference}', but {error}") from error
    here = (*trail, _identity(document))
    if _identity(parent) in here:
        chain = " -> ".join((*here[here.index(_identity(parent)) :], _identity(parent)))
        raise ProfileError(f"{called} extends itself: {chain}; take one of these out")
    if len(here) > MAX_DEPTH:
        raise ProfileError(
            f"{called} is the end of a chain of {len(here)} files that extend one another; "
            f"at most {MAX_DEPTH} may"
        )
    try:
        whole = _composed(parent, precision, find, here)
        validated(whole, _called(parent, precision))
    except ProfileError as error:
        if trail:  # whoever asked for the profile names both; the files between say no more
            raise
        raise ProfileError(f"{called} extends '{reference}', but {error}") from error
    return whole


def _identity(document: Document) -> str:
    return document.name if document.path is None else str(document.path.resolve())


def _first_fault(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    more = f" ({error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
    if not key:  # a rule that spans several keys names them itself
        return message + more
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'; `neurt-energy hw schema` lists the keys" + more
    if first["type"] == "missing":
        return f"key '{key}' is missing" + more
    return f"key '{key}' (= {first['input']!r}): {message}" + more
