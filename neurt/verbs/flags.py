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

from hwmodels import profile_names
from hwmodels.errors import did_you_mean
from neurt.families import ALIASES
from neurt.loading.source import SHIPPED, SMOLLM2
from neurt.requests.base import Flag, Request

#: The headings of help, in order; "options" has what stands under none of them.
_GROUPS = (
    *("model", "texts", "passes", "grid", "conversion", "training", "hardware", "output"),
    "options",
)
#: What stands for a value in help, by its type.
_METAVARS = {int: "N", float: "X"}
#: Words that a shell may complete, by field; argcomplete asks for them.
_KNOWN = {"hw": lambda **_: profile_names()} | dict.fromkeys(
    ("model", "models"), lambda **_: (*SHIPPED, *ALIASES, SMOLLM2)
)
#: What breaks a rule, by the names that pydantic has for it.
_RULES = {
    "int_parsing": "must be an integer",
    "float_parsing": "must be a number",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be finite",
}


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

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

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
        action = groups.get(field.group, parser).add_argument(
            field.option, default=argparse.SUPPRESS, help=_help(field), **options
        )
        if field.path[-1] in _KNOWN:
            action.completer = _KNOWN[field.path[-1]]  # type: ignore[attr-defined]


def _options(field: _Field) -> dict[str, Any]:
    """What argparse must know of a field."""
    kind, many = _inner(field.info.annotation)
    if kind is bool:
        on = field.info.default is True
        return {"action": argparse.BooleanOptionalAction if on else "store_true"}
    choices = _choices(kind)
    shown = (
        {"choices": choices} if choices else {"metavar": field.flag.metavar or _METAVARS.get(kind)}
    )
    if not many:
        return shown
    if field.flag.positional:
        return shown | {"nargs": "+"}
    if field.flag.each or _is_mapping(field.info.annotation):
        return shown | {"action": "append"}
    return shown | {"nargs": "+", "action": "extend"}


def _choices(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return [str(choice) for choice in kind]
    return list(typing.get_args(kind)) if typing.get_origin(kind) is typing.Literal else []


def _inner(kind: Any) -> tuple[Any, bool]:
    """The type of one value, and whether there may be several."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _inner(next(x for x in inside if x is not type(None)))
    if origin is typing.Annotated:
        return _inner(inside[0])
    if origin is tuple and Ellipsis in inside:
        return _inner(inside[0])[0], True
    return (str, True) if _is_mapping(kind) else (kind, False)


def _is_mapping(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _help(field: _Field) -> str:
    """The description of a field, and its default."""
    text = " ".join((field.info.description or "").split())
    default = field.flag.default or _default(field.info)
    return (f"{text} (default: {default})" if default else text).replace("%", "%%")


def _default(info: FieldInfo) -> str:
    value = () if info.is_required() or info.default_factory is not None else info.default
    if value is None or isinstance(value, bool):
        return ""
    several = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in several)


def read(parser: argparse.ArgumentParser, request: type[Request], given: dict[str, Any]) -> Request:
    """The request that words, `given` by dotted field, make; ends the process if they make none."""
    fields = {".".join(field.path): field for field in _fields(request)}
    try:
        made = request.model_validate(_values(parser, fields, given))
    except ValidationError as error:
        details = error.errors()[0]
        path = tuple(str(x) for x in details["loc"])
        field = next((f for f in fields.values() if f.path == path[: len(f.path)]), None)
        if field is None:  # a rule between fields
            parser.error(_complaint(details, (), ""))
        complaint = _complaint(details, path[len(field.path) :], _unit(field))
        parser.error(f"argument {field.option}: {complaint}")
    idle = made.idle()
    for field in map(fields.__getitem__, given):
        if field.path[-1] in idle:
            parser.error(f"argument {field.option}: has no effect here: {idle[field.path[-1]]}")
    return made


def _values(
    parser: argparse.ArgumentParser, fields: Mapping[str, _Field], given: dict[str, Any]
) -> dict[str, Any]:
    """What pydantic is given: inner models as dictionaries, `NAME=VALUE` words as mappings."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        field = fields[key]
        *outer, name = field.path
        inner = values.setdefault(outer[0], {}) if outer else values
        mapped = _is_mapping(field.info.annotation)
        inner[name] = _pairs(parser, field, value) if mapped else value
    return values


def _pairs(parser: argparse.ArgumentParser, field: _Field, words: Sequence[str]) -> dict[str, str]:
    names = typing.get_args(typing.get_args(field.info.annotation)[0])
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in names:
            known = " or ".join(f"{known}={_unit(field)}" for known in names)
            parser.error(f"argument {field.option}: must be {known}, not {word!r}")
        if name in found:
            parser.error(f"argument {field.option}: {name} is given more than once")
        found[name] = value
    return found


def _unit(field: _Field) -> str:
    return (field.flag.metavar or "").partition("=")[2]


def _complaint(details: ErrorDetails, inside: Sequence[str], unit: str) -> str:
    """What pydantic says, in our words; `inside` is the number or name of a value in a field."""
    kind, value, bounds = details["type"], details["input"], details.get("ctx", {})
    if kind == "value_error":
        return str(bounds["error"])
    rule = _RULES[kind].format(**bounds) if kind in _RULES else details["msg"].lower()
    of = "".join(f"the {unit.lower()} of {name} " for name in inside if not name.isdigit())
    return f"{of}{rule}, not {repr(value) if kind.endswith('parsing') else value}"
