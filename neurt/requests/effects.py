"""Whether a choice about the machine can change a bill at all. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hwmodels import Dataflow, HardwareProfile
from hwmodels.usage import unused
from neurt.requests.base import Request, RequestError

#: Choices that a bill can use only if what moves is priced by itself.
_OF_MOVES = ("fusion", "dataflow")


def check_effect(
    request: Request, own: Sequence[HardwareProfile], changed: Sequence[HardwareProfile]
) -> None:
    """Raise RequestError if a choice about the machine changes the bill of no profile.

    A choice that a profile makes itself is true there, and so no error.

    Args:
        request: One with `widths` and `room`, and maybe `fusion`, `dataflow` and `encoding`.
        own: The profiles that are asked for.
        changed: The same with those choices.
    """
    idle = [dict(_idle(request, *pair)) for pair in zip(own, changed, strict=True)]
    for flag, why in idle[0].items() if idle else ():
        if all(flag in others for others in idle):
            names = ", ".join(profile.name for profile in own)
            raise RequestError(
                f"{flag} has no effect on {names}: {why}; leave it out, or give another --hw"
            )


def _idle(
    request: Request, own: HardwareProfile, changed: HardwareProfile
) -> Iterator[tuple[str, str]]:
    """Flags that change nothing of what a profile charges, and why."""
    given = vars(request)
    if own.whole_chip is not None:
        yield from _idle_on_whole_chip(given)
        return
    flow = given.get("dataflow") or own.dataflow
    executed = changed.model_copy(update={"dataflow": flow})
    clauses = dict(clause.rstrip(")").split(" (", 1) for clause in unused(executed))
    for operand in given["widths"]:
        if (key := f"widths.{operand}") in clauses:
            yield f"--widths {operand}", clauses[key]
    for name in ("room", "encoding"):
        if given.get(name) not in (None, getattr(own, name)) and name in clauses:
            yield f"--{name}", clauses[name]
    if not own.placement and own.delivery is None:
        for name in _OF_MOVES:
            if given.get(name) not in (None, getattr(own, name)):
                yield f"--{name}", "what moves has no price of its own there"
    if given.get("dataflow") is Dataflow.GATHERED and "dataflow" in clauses:
        yield "--dataflow gathered", clauses["dataflow"]
    if given.get("encoding") and flow.rules.spikes == "addresses":
        yield "--encoding", f"the dataflow {flow} moves each spike as an address"


def _idle_on_whole_chip(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The same where the bytes of weights and of the cache have prices, and nothing else moves."""
    for operand in given["widths"]:
        if operand not in ("weights", "kv"):
            yield f"--widths {operand}", "a whole chip is priced by weights and cache alone"
    for name in (*_OF_MOVES, "room", "encoding"):
        if given.get(name) is not None:
            yield f"--{name}", "the prices are those of a whole chip"
