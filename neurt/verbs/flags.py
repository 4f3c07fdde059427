"""Flags from the fields of a request: name, type, default, choices, rules and help stand there."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hwmodels import profile_names
from hwmodels.units import Magnitude
from neurt.families import ALIASES
from neurt.loading.source import SHIPPED, SMOLLM2
from neurt.requests.base import Flag, Request
from neurt.verbs.parser import Once, OnceOrNot

#: The headings of help, in order; "options" has what stands under none of them.
_GROUPS = (
    *("model", "device", "texts", "passes", "grid", "conversion", "training", "networks"),
    *("hardware", "cluster", "output"),
    "options",
)
#: What stands for a value in help, by its type.
_METAVARS = {int: "N", float: "X"}
#: Words that a shell may complete, by field; argcomplete asks for them.
_KNOWN = {"hw": lambda **_: profile_names()} | dict.fromkeys(
    ("model", "models"), lambda **_: (*SHIPPED, *ALIASES, SMOLLM2)
)


class FlagField(typing.NamedTuple):
    """A field of a request, or of a model inside it, that is a flag."""

    path: tuple[str, ...]
    info: FieldInfo
    group: str

    @property
    def flag(self) -> Flag:
        """What the command line knows of it."""
        return _flag_of(self.info)

    @property
    def option(self) -> str:
        """As it is written on the command line."""
        name = self.path[-1].rstrip("_")  # a word of Python's own has one behind it
        return name if self.flag.positional else f"--{name.replace('_', '-')}"


def _flag_of(info: FieldInfo) -> Flag:
    return next((x for x in info.metadata if isinstance(x, Flag)), Flag())


def flag_fields(request: type[BaseModel]) -> Iterator[FlagField]:
    """The flags of a request, in the order of its fields."""
    for name, info in request.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for inner in _flag_of(info).only:
                yield FlagField((name, inner), kind.model_fields[inner], "conversion")
        else:
            owner = [c for c in request.__mro__ if name in getattr(c, "__annotations__", ())][-1]
            yield FlagField(
                (name,), info, _flag_of(info).group or getattr(owner, "group", "options")
            )


def add_flags(parser: argparse.ArgumentParser, request: type[Request]) -> None:
    """Add a flag for each field of a request, under the headings of its classes."""
    fields = list(flag_fields(request))
    used = {field.group for field in fields} - {"options"}
    groups = {name: parser.add_argument_group(name) for name in _GROUPS if name in used}
    for field in fields:
        options = _options(field)
        if not field.flag.positional:
            options |= {"dest": ".".join(field.path), "required": field.info.is_required()}
        action = groups.get(field.group, parser).add_argument(
            field.option, default=argparse.SUPPRESS, help=_help(field), **options
        )
        if field.path[-1] in _KNOWN:
            action.completer = _KNOWN[field.path[-1]]  # type: ignore[attr-defined]


def _options(field: FlagField) -> dict[str, Any]:
    """What argparse must know of a field."""
    kind, many = inner_type(field.info.annotation)
    if kind is bool:
        on = field.info.default is True
        return {"action": OnceOrNot if on else "store_true"}
    choices = _choices(kind)
    shown = (
        {"choices": choices} if choices else {"metavar": field.flag.metavar or _METAVARS.get(kind)}
    )
    if field.flag.positional:
        return shown | ({"nargs": "+"} if many else {})
    if not many:
        return shown | {"action": Once}
    if field.flag.each or is_mapping(field.info.annotation):
        return shown | {"action": "append"}
    return shown | {"nargs": "+", "action": "extend"}


def _choices(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [str(choice) for choice in kind]
    return list(typing.get_args(kind)) if typing.get_origin(kind) is typing.Literal else []


def inner_type(kind: Any) -> tuple[Any, bool]:
    """The type of one value, and whether there may be several."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return inner_type(next(x for x in inside if x is not type(None)))
    if origin is typing.Annotated:
        return inner_type(inside[0])
    if origin is tuple and Ellipsis in inside:
        return inner_type(inside[0])[0], True
    return (str, True) if is_mapping(kind) else (kind, False)


def has_unit(kind: Any) -> bool:
    """Whether values of a type may be written with a unit."""
    inside = (*getattr(kind, "__metadata__", ()), *typing.get_args(kind))
    return any(x.quantity if isinstance(x, Magnitude) else has_unit(x) for x in inside)


def is_mapping(kind: Any) -> bool:
    """Whether a type takes words `NAME=VALUE`."""
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _help(field: FlagField) -> str:
    """The description of a field, its range, and its default."""
    text = " ".join((field.info.description or "").split())
    default = field.flag.default or _default(field.info)
    notes = [_range(field.info), f"default: {default}" if default else ""]
    said = "; ".join(note for note in notes if note)
    return (f"{text} ({said})" if said else text).replace("%", "%%")


def _range(info: FieldInfo) -> str:
    """The numbers that a field, or each of its values, may be; empty where it takes none."""
    ends = dict(_ends(info))
    if "le" not in ends or not ends.keys() & {"ge", "gt"}:
        return ""
    low = number_text(ends["ge"]) if "ge" in ends else f"above {number_text(ends['gt'])}"
    return f"{low} to {number_text(ends['le'])}"


def _ends(info: FieldInfo) -> Iterator[tuple[str, Any]]:
    """The bounds of a field: annotations stand on it, or on the type of its values."""
    for rule in info.metadata:
        yield from ((end, getattr(rule, end)) for end in ("ge", "gt", "le") if hasattr(rule, end))
    for part in _annotations(info.annotation):
        yield from _ends(part)


def _annotations(kind: Any) -> Iterator[FieldInfo]:
    for inner in typing.get_args(kind):
        yield from (x for x in getattr(inner, "__metadata__", ()) if isinstance(x, FieldInfo))
        yield from _annotations(inner)


def number_text(number: float) -> str:
    """A bound as people read it: 10,000,000, or 1e-06."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"


def _default(info: FieldInfo) -> str:
    value = () if info.is_required() or info.default_factory is not None else info.default
    if value is None or isinstance(value, bool):
        return ""
    several = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in several)
