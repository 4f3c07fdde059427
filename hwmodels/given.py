"""Arguments of another kind than was meant: refused where they are given, in one sentence."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from hwmodels.errors import UserError, did_you_mean
from hwmodels.plain import quoted

Chosen = TypeVar("Chosen", bound=StrEnum)


class KindError(UserError, TypeError):
    """An argument of a function that is of another type than the function takes."""


class ChoiceError(UserError, ValueError):
    """An argument of a function that is none of the words that the function knows."""


def check_kind(name: str, value: object, kind: type | tuple[type, ...], way_out: str = "") -> None:
    """Make sure of the type of an argument.

    Args:
        name: The argument.
        value: What was given.
        kind: What it must be; of several, any.
        way_out: What makes one, as the end of a sentence.

    Raises:
        KindError: If it is of another type.
    """
    if isinstance(value, kind):
        return
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = " or ".join(x.__name__ for x in kinds)
    article = "an" if wanted[0] in "AEIOUaeiou" else "a"
    end = f"; {way_out}" if way_out else ""
    raise KindError(f"`{name}` must be {article} {wanted}, and not {quoted(value)}{end}")


def chosen(name: str, value: object, kind: type[Chosen]) -> Chosen:
    """A member of an enumeration, given as that or by its word.

    Raises:
        ChoiceError: If it is no word of it.
    """
    if isinstance(value, str) and value in list(kind):
        return kind(value)
    words = ", ".join(kind)
    near = did_you_mean(value, kind) if isinstance(value, str) else ""
    raise ChoiceError(f"`{name}` must be one of {words}, and not {quoted(value)}{near}")
