"""The break-evens of a model, a layer or a run, and how each is said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from energy import Estimate
from energy.compare.breakeven import Bound, BreakEven, Verdict
from energy.words import NONE, number

SIGNS: dict[Bound | None, str] = {Bound.AT_MOST: "≤", Bound.AT_LEAST: "≥"}


class Origin(StrEnum):
    """Where the events of a case are from."""

    CLOSED_FORM = "closed form"  #: one in each slot, since there is no run
    RUN = "run"  #: measured
    PLAN = "plan"  #: assumed, by the plan that is read


@dataclass(frozen=True)
class Case:
    """The break-evens of one model, layer or run on one piece of hardware."""

    title: str  #: what it is
    origin: Origin  #: where the events are from
    asa: Estimate  #: bill of the analog side
    ssa: Estimate  #: bill of the spiking side with events
    breakevens: tuple[BreakEven, ...]  #: each accounting of each part

    @property
    def measured(self) -> bool:
        """Whether the events were measured."""
        return self.origin is Origin.RUN

    @property
    def has_rates(self) -> bool:
        """Whether layers have rates of their own, measured or assumed."""
        return self.origin is not Origin.CLOSED_FORM

    def by_part(self) -> list[dict[str, BreakEven]]:
        """The accountings of each part, in order."""
        parts: dict[str, dict[str, BreakEven]] = {}
        for line in self.breakevens:
            parts.setdefault(line.part.name, {})[line.accounting] = line
        return list(parts.values())

    @property
    def largest(self) -> list[BreakEven]:
        """The lines of blocks and of the model, or of the layers where there is no more."""
        whole = [line for line in self.breakevens if line.part.kind in ("block", "model")]
        return whole or [*self.breakevens]


#: Accountings in an answer.
_SHORT = {"compute": "MACs and ACs", "fused": "fused", "unfused": "unfused"}


def answer(case: Case) -> str:
    """Below which rate the largest part saves, in each accounting, and what a run sends."""
    last = case.largest[-1].part.name
    lines = [line for line in case.largest if line.part.name == last]
    said: dict[str, list[str]] = {}
    for line in lines:
        said.setdefault(_saves(line), []).append(_SHORT[line.accounting])
    texts = [f"{text} ({', '.join(names)})" for text, names in said.items()]
    sends = "it sends" if case.measured else "the plan assumes"
    rate = f"; {sends} {lines[0].busy_rate:.3g}" if case.has_rates else ""
    return f"The spiking {last} saves {', '.join(texts)}{rate}"


def _saves(line: BreakEven) -> str:
    """At which spike rates a part saves."""
    if line.verdict is Verdict.NEVER:
        return "at no spike rate"
    if line.verdict is Verdict.ALWAYS:
        return f"at every spike rate up to {line.part.highest_rate:g} a slot"
    if line.rate is not None and line.verdict is Verdict.BELOW:
        return f"below {line.rate:.3g} spikes per slot"
    if line.bound in SIGNS and line.priced_rate is not None:
        return f"below {line.bound} {line.priced_rate:.3g} spikes per slot"
    return f"at rates that are not known: {line.verdict.value}"


def mark(line: BreakEven) -> str:
    """Whether measured events are below or above the break-even; nothing where no price tells."""
    return {True: "below (saves)", False: "above (costs)", None: ""}[line.busy_saves]


def margin(line: BreakEven) -> float | None:
    """Share by which measured events may grow, or must shrink, to stand at the break-even."""
    return None if line.share is None else line.share - 1


def rate_text(line: BreakEven) -> str:
    """The break-even rate, or why there is none."""
    if line.verdict is Verdict.NEVER:
        return "never"
    if line.verdict is Verdict.ALWAYS:
        return "always" if line.rate is None else f"always ({line.rate:.3f})"
    if line.bound in SIGNS and line.priced_rate is not None:
        return f"{SIGNS[line.bound]} {line.priced_rate:.3f}"
    return number(line.rate) if line.verdict is Verdict.BELOW else line.verdict.value


def ends_texts(line: BreakEven) -> tuple[str, str]:
    """The break-even in events per MAC and in spikes per synapse, or the bound of each."""
    if line.verdict is Verdict.UNPRICED and line.bound in SIGNS and line.priced_rate is not None:
        ends = (line.priced_events_per_mac, line.priced_spikes_per_synapse)
        more, spikes = (f"{SIGNS[line.bound]} {number(end)}" for end in ends)
        return more, spikes
    if line.verdict in (Verdict.UNPRICED, Verdict.NEVER, Verdict.SILENT):
        return NONE, NONE
    return number(line.events_per_mac), number(line.spikes_per_synapse)


def short_name(line: BreakEven) -> str:
    """The name of a part of a run, without what all of them begin with."""
    return line.part.name.removeprefix("transformer.")


#: How many events there are, in words.
_EVENTS = {
    Origin.CLOSED_FORM: "with an event in each slot",
    Origin.RUN: "as measured",
    Origin.PLAN: "as assumed",
}


def reuse_text(case: Case) -> str:
    """How many events must share a fetch for a part to save anything; empty where none is known.

    The part is the largest of which all that matters has a price.
    """
    delivery = case.ssa.profile.delivery
    if delivery is None:
        return ""
    for part in reversed(case.by_part()):
        lines = [line for line in part.values() if line.accounting != "compute" and not line.bound]
        if lines:
            events = _EVENTS[case.origin]
            ends = ", ".join(f"{_reuse(line)} ({line.accounting})" for line in lines)
            return (
                "Events that must share a fetch of a stored operand beside the adders for the "
                f"{short_name(lines[0])} to save, {events}: {ends}; the profile has "
                f"{delivery.event_reuse:,g}."
            )
    return ""


def _reuse(line: BreakEven) -> str:
    words = {None: "no number is enough", 1.0: "any number"}
    return words.get(line.event_reuse, f"at least {line.event_reuse or 0:,.4g}")
