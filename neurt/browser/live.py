"""What Python knows of functions and classes while it runs."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from types import FunctionType
from typing import Any

from pydantic import BaseModel


def called(live: type) -> str:
    """The name of a class in JavaScript."""
    return f"{last_word(live.__module__)}${live.__qualname__}"


def last_word(module: str) -> str:
    """The last part of the name of a module."""
    return module.rpartition(".")[2]


def unwrapped(member: object) -> tuple[str, FunctionType | None]:
    """What a member of a class is (`get`, `static`, or empty), and its function.

    None where it has none that was written: dataclasses and named tuples get some that were made.
    """
    kind = ""
    if isinstance(member, property):
        kind, member = "get", member.fget
    elif isinstance(member, cached_property):
        kind, member = "get", member.func
    elif isinstance(member, staticmethod):
        kind, member = "static", member.__func__
    if isinstance(member, FunctionType) and "<" not in member.__code__.co_filename:
        return kind, member
    return kind, None


def named(function: Any) -> list[str]:
    """Names of the parameters of a function."""
    return [*inspect.signature(function).parameters]


def fields_of(live: type) -> Mapping[str, tuple[object, ...]]:
    """Names of the fields of a dataclass or named tuple, each with its default, if it has one."""
    if dataclasses.is_dataclass(live):
        found: dict[str, tuple[object, ...]] = {}
        for each in dataclasses.fields(live):
            if each.default_factory is not dataclasses.MISSING:
                found[each.name] = (each.default_factory(),)
            else:
                missing = each.default is dataclasses.MISSING
                found[each.name] = () if missing else (each.default,)
        return found
    if issubclass(live, BaseModel):
        return {key: (each.default,) for key, each in live.model_fields.items()}
    defaults = getattr(live, "_field_defaults", {})
    return {
        key: (defaults[key],) if key in defaults else () for key in getattr(live, "_fields", ())
    }


def members_of(live: type[Enum]) -> str:
    """The members of an enumeration, in JavaScript."""
    return f"py.enumeration({json.dumps({member.name: str(member.value) for member in live})})"
