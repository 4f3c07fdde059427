"""Flags from the fields of a request: name, type, default, choices, rules and help stand there."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hwmodels.errors import did_you_mean
from neurt.requests.base import Flag, Request

#: The headings of help, in order; "options" has what stands under none of them.
_GROUPS = (
    *("model", "texts", "passes", "grid", "conversion", "training", "hardware", "output"),
    "options",
)
#: What stands for a value in help, by its type.
_METAVARS = {int: "N", float: "X"}


class Parser(argparse.ArgumentParser):
    """A parser that knows what a misspelt command or flag may have meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; a flag that nobody knows is said before one that is missing because of it."""
        known = self._option_string_actions
        for word in _flags_among(args or ()) if self._subparsers is None else ():
            if not any(flag.startswith(word) for flag in known):
                self.error(f"unrecognized arguments: {word}{did_you_mean(word, known)}")
        return super().parse_known_args(args, namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            hint = did_you_mean(str(value), map(str, action.choices or ()))
            raise argparse.ArgumentError(action, f"{error.message}{hint}") from None


def _flags_among(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word == "--":
            return
        if word.startswith("--"):
            yield word.partition("=")[0]


class PrintVersion(argparse.Action):
    """Prints the version; it is only looked up when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it, and end."""
        from neurt.version import __version__

        print(f"neurt-energy {__version__}")
        parser.exit()


class _Field(typing.NamedTuple):
    """A field of a request, or of a model inside it, that is a flag."""

    path: tuple[str, ...]
    info: FieldInfo
    group: str

    @property
    def flag(self) -> Flag:
        return _flag_of(self.info)

    @property
    def option(self) -> str:
        """As it is written on the command line."""
        name = self.path[-1]
        return name if self.flag.positional else f"--{name.replace('_', '-')}"


def _flag_of(info: FieldInfo) -> Flag:
    return next((x for x in info.metadata if isinstance(x, Flag)), Flag())


def _fields(request: type[BaseModel]) -> Iterator[_Field]:
    for name, info in request.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for inner in _flag_of(info).only:
                yield _Field((name, inner), kind.model_fields[inner], "conversion")
        else:
            owner = [c for c in request.__mro__ if name in getattr(c, "__annotations__", ())][-1]
            yield _Field((name,), info, _flag_of(info).group or getattr(owner, "group", "options"))


def add_flags(parser: argparse.ArgumentParser, request: type[Request]) -> None:
    """Add a flag for each field of a request, under the headings of its classes."""
    fields = list(_fields(request))
    used = {field.group for field in fields} - {"options"}
    groups = {name: parser.add_argument_group(name) for name in _GROUPS if name in used}
    for field in fields:
        options = _options(field)
        if not field.flag.positional:
            options |= {"dest": ".".join(field.path), "required": field.info.is_required()}
        groups.get(field.group, parser).add_argument(
            field.option, default=argparse.SUPPRESS, help=_help(field), **options
        )


def _options(field: _Field) -> dict[str, Any]:
    """What argparse must know of a field."""
    kind, many = _inner(field.info.annotation)
    if kind is bool:
        on = field.info.default is True
        return {"action": argparse.BooleanOptionalAction if on else "store_true"}
    found: dict[str, Any] = {"metavar": field.flag.metavar or _METAVARS.get(kind)}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        found = {"choices": [str(one) for one in kind]}
    elif typing.get_origin(kind) is typing.Literal:
        found = {"choices": list(typing.get_args(kind))}
    if many and field.flag.positional:
        return found | {"nargs": "+"}
    if many and (field.flag.each or typing.get_origin(field.info.annotation) is not tuple):
        return found | {"action": "append"}
    return found | ({"nargs": "+", "action": "extend"} if many else {})


def _inner(kind: Any) -> tuple[Any, bool]:
    """The type of one value, and whether there may be several."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        [kind] = [x for x in typing.get_args(kind) if x is not type(None)]
    if typing.get_origin(kind) is typing.Annotated:
        return _inner(typing.get_args(kind)[0])
    if typing.get_origin(kind) is tuple and Ellipsis in typing.get_args(kind):
        return _inner(typing.get_args(kind)[0])[0], True
    return (
        (str, True) if typing.get_origin(kind) is not None and _is_mapping(kind) else (kind, False)
    )


def _is_mapping(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _help(field: _Field) -> str:
    """The description of a field, and its default."""
    default = field.flag.default
    if not default and not field.info.is_required() and field.info.default_factory is None:
        value = field.info.default
        several = (
            value if isinstance(value, tuple) else () if value in (None, False, True) else (value,)
        )
        default = " ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in several)
    text = " ".join((field.info.description or "").split())
    return (f"{text} (default: {default})" if default else text).replace("%", "%%")


def read(parser: argparse.ArgumentParser, request: type[Request], given: dict[str, Any]) -> Request:
    """The request that parsed words make; ends the process if they make none.

    Args:
        parser: Says what is wrong.
        request: What is asked for.
        given: Values by field, with a point between the names of an inner model and of its field.
    """
    fields = {".".join(field.path): field for field in _fields(request)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        *outer, name = fields[key].path
        inner = values.setdefault(outer[0], {}) if outer else values
        inner[name] = value
        if isinstance(value, list) and _is_mapping(fields[key].info.annotation):
            inner[name] = _pairs(parser, fields[key], value)
    try:
        made = request.model_validate(values)
    except ValidationError as error:
        details = error.errors()[0]
        path = tuple(str(x) for x in details["loc"])
        field = next(f for f in fields.values() if f.path == path[: len(f.path)])
        parser.error(f"argument {field.option}: {_complaint(field, path, details)}")
    for key in given:
        if why := made.idle().get(fields[key].path[-1]):
            parser.error(f"argument {fields[key].option}: has no effect here: {why}")
    return made


def _pairs(parser: argparse.ArgumentParser, field: _Field, words: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a mapping."""
    names = typing.get_args(typing.get_args(field.info.annotation)[0])
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in names:
            known = " or ".join(
                f"{x}={(field.flag.metavar or '').partition('=')[2]}" for x in names
            )
            parser.error(f"argument {field.option}: must be {known}, not {word!r}")
        if name in found:
            parser.error(f"argument {field.option}: {name} is given more than once")
        found[name] = value
    return found


def _complaint(field: _Field, path: tuple[str, ...], details: ErrorDetails) -> str:
    """What pydantic says, in our words."""
    value, bounds = details["input"], details.get("ctx", {})
    if details["type"] == "value_error":
        return str(bounds["error"])
    rule = {
        "int_parsing": "must be an integer",
        "float_parsing": "must be a number",
        "greater_than": f"must be above {bounds['gt']:g}" if "gt" in bounds else "",
        "greater_than_equal": f"must be at least {bounds['ge']:g}" if "ge" in bounds else "",
        "less_than_equal": f"must be at most {bounds['le']:g}" if "le" in bounds else "",
        "finite_number": "must be finite",
    }.get(details["type"], details["msg"].lower())
    shown = repr(value) if details["type"].endswith("parsing") else value
    part = (
        f"the seconds of {path[-1]} "
        if len(path) > len(field.path) and not path[-1].isdigit()
        else ""
    )
    return f"{part}{rule}, not {shown}"
