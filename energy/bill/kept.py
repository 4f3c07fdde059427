"""Questions to a bill that are answered once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Answering(Protocol):
    """What keeps its answers."""

    @property
    def answers(self) -> dict[object, Any]:
        """What it was asked, and said."""
        ...


B = TypeVar("B", bound=Answering)
P = ParamSpec("P")
T = TypeVar("T")


def kept(question: Callable[Concatenate[B, P], T]) -> Callable[Concatenate[B, P], T]:
    """Answer once: tables of a run ask for the same sums dozens of times."""

    @wraps(question)
    def answer(bill: B, /, *args: P.args, **of: P.kwargs) -> T:
        key = question.__name__, args, *of.items()
        if key not in bill.answers:
            bill.answers[key] = question(bill, *args, **of)
        found: T = bill.answers[key]
        return found

    return answer
