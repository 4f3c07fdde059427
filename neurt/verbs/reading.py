"""The request that words make, or why they make none, in one sentence."""

from __future__ import annotations

import argparse
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hwmodels.errors import UserError
from hwmodels.plain import quoted, shortened
from neurt.requests.base import Request
from neurt.verbs.flags import (
    FlagField,
    flag_fields,
    has_unit,
    inner_type,
    is_mapping,
    number_text,
)

#: What breaks a rule, by the names that pydantic has for it.
_RULES = {
    "int_parsing": "must be an integer",
    "int_parsing_size": "must have fewer digits",
    "float_parsing": "must be a number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be finite",
}
#: How people write a number; Python reads `1_0`, ` 10` and digits of other scripts, too.
_NUMBERS = {
    int: re.compile(r"[+-]?[0-9]+"),
    float: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"),
}
#: What a file can be called, in bytes; all words but numbers and choices may name one.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


def read(parser: argparse.ArgumentParser, request: type[Request], given: dict[str, Any]) -> Request:
    """The request that words, `given` by dotted field, make.

    Raises:
        UsageError: If they make none.
    """
    fields = {".".join(field.path): field for field in flag_fields(request)}
    try:
        made = request.model_validate(_values(parser, fields, given))
    except ValidationError as error:
        details = error.errors()[0]
        path = tuple(str(x) for x in details["loc"])
        if path[1:] and path[-1] in fields:  # a flag that a rule has put into an inner model
            path = path[-1:]
        field = next((f for f in fields.values() if f.path == path[: len(f.path)]), None)
        if field is None:  # a rule between fields
            parser.error(_complaint(details, (), ""))
        complaint = _complaint(details, path[len(field.path) :], _unit(field))
        parser.error(f"argument {field.option}: {complaint}")
    idle = made.idle()
    for field in map(fields.__getitem__, given):
        if field.path[-1] in idle and given[".".join(field.path)] is not False:  # --no-page
            parser.error(f"argument {field.option}: has no effect here: {idle[field.path[-1]]}")
    try:
        made.check()
    except UserError as error:
        parser.error(str(error))
    return made


def _values(
    parser: argparse.ArgumentParser, fields: Mapping[str, FlagField], given: dict[str, Any]
) -> dict[str, Any]:
    """What pydantic is given: inner models as dictionaries, `NAME=VALUE` words as mappings."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        field = fields[key]
        *outer, name = field.path
        inner = values.setdefault(outer[0], {}) if outer else values
        kind = str if has_unit(field.info.annotation) else inner_type(field.info.annotation)[0]
        if is_mapping(field.info.annotation):
            value = _pairs(parser, field, value)
            inside = typing.get_args(field.info.annotation)[1]
            kind = str if has_unit(inside) else inner_type(inside)[0]
        if not field.flag.sizes:  # which say themselves what is wrong
            _check_words(parser, field, kind, value)
        inner[name] = value
    return values


def _check_words(
    parser: argparse.ArgumentParser, field: FlagField, kind: type, given: object
) -> None:
    """Refuse what Python understands and people do not write."""
    words = given.values() if isinstance(given, Mapping) else given
    for word in [words] if isinstance(words, str | bool) else words:  # type: ignore[attr-defined]
        if isinstance(word, bool):
            continue
        if complaint := _word_complaint(word, kind):
            parser.error(f"argument {field.option}: {complaint}, not {quoted(word)}")


def _word_complaint(word: str, kind: type) -> str:
    if not word.strip():
        return "must not be empty"
    if kind in _NUMBERS:
        if kind is float and _NOT_FINITE.fullmatch(word):
            return "must be finite"
        return "" if _NUMBERS[kind].fullmatch(word) else _RULES[f"{kind.__name__}_parsing"]
    try:
        encoded = word.encode()
    except UnicodeEncodeError:
        return "must be UTF-8"
    if len(encoded) > _LONGEST_PATH or max(map(len, encoded.split(b"/"))) > _LONGEST_NAME:
        return f"must be at most {_LONGEST_NAME} bytes between slashes, {_LONGEST_PATH:,} in all"
    return "must not hold a null character" if "\0" in word else ""


def _pairs(
    parser: argparse.ArgumentParser, field: FlagField, words: Sequence[str]
) -> dict[str, str]:
    names = typing.get_args(typing.get_args(field.info.annotation)[0])
    found: dict[str, str] = {}
    for word in (part for given in words for part in given.split(",")):
        name, _, value = word.partition("=")
        # Where names are not listed, any may stand there.
        if (name not in names if names else not name.strip()) or not value.strip():
            known = " or ".join(f"{known}={_unit(field)}" for known in names)
            known = known or str(field.flag.metavar)
            parser.error(f"argument {field.option}: must be {known}, not {quoted(word)}")
        if name in found:
            parser.error(f"argument {field.option}: {name} is given more than once")
        found[name] = value
    return found


def _unit(field: FlagField) -> str:
    return (field.flag.metavar or "").partition("=")[2]


def _complaint(details: ErrorDetails, inside: Sequence[str], unit: str) -> str:
    """What pydantic says, in our words; `inside` is the number or name of a value in a field."""
    kind, value = details["type"], details["input"]
    if kind == "value_error":
        return str(details["ctx"]["error"])
    bounds = {name: number_text(bound) for name, bound in details.get("ctx", {}).items()}
    rule = _RULES[kind].format(**bounds) if kind in _RULES else details["msg"].lower()
    of = "".join(f"the {unit.lower()} of {name} " for name in inside if not name.isdigit())
    return f"{of}{rule}, not {shortened(str(value))}"
