"""What names of Python are in JavaScript, and who knows what they stand for."""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

from hwmodels.errors import UserError


class UntranslatedError(UserError, ValueError):
    """Python of the closed form for which the page has no JavaScript."""


class Program(Protocol):
    """What names outside of a function stand for."""

    attributes: set[str]

    def reference(self, module: ModuleType, name: str) -> str:
        """The JavaScript of a global of a module."""

    def of_module(self, module: ModuleType, attribute: str) -> str:
        """The JavaScript of what a module has under a name."""

    def positions(self, live: object) -> list[str] | None:
        """Names of the parameters of a function or class in their order; None where it has none."""


#: Words that are names in Python and none in JavaScript.
_RESERVED = frozenset(
    [
        "arguments",
        "case",
        "catch",
        "const",
        "default",
        "delete",
        "do",
        "enum",
        "eval",
        "export",
        "extends",
        "function",
        "instanceof",
        "let",
        "new",
        "null",
        "package",
        "private",
        "protected",
        "public",
        "static",
        "super",
        "switch",
        "this",
        "throw",
        "typeof",
        "var",
        "void",
        "interface",
    ]
)


def safe(name: str) -> str:
    """A name of Python as one of JavaScript."""
    return f"{name}$" if name in _RESERVED else name


def parameters(names: list[str], defaults: dict[str, str]) -> str:
    """The list of parameters of a function with their defaults."""
    return ", ".join(
        f"{safe(name)} = {defaults[name]}" if name in defaults else safe(name) for name in names
    )
