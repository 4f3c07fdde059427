"""Whether a choice about the machine can change a bill at all. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hwmodels import HardwareProfile, Op
from neurt.requests.base import Request, RequestError

#: What moves in the width of an operand.
_MOVED = {
    "weights": (Op.WEIGHT_READ,),
    "activations": (Op.ACTIVATION_READ, Op.ACTIVATION_WRITE),
    "vectors": (Op.VECTOR_READ,),
    "kv": (Op.KV_READ, Op.KV_WRITE),
    "accumulators": (Op.STATE_READ, Op.STATE_WRITE),
}
#: What is fetched beside the adders, where that has a price.
_DELIVERED = ("weights", "kv")
_SPIKES = (Op.SPIKE_READ, Op.SPIKE_WRITE)

Rule = Callable[[HardwareProfile], bool]


def check_effect(request: Request, profiles: Sequence[HardwareProfile]) -> None:
    """Raise RequestError if a choice about the machine changes the bill of none of the profiles.

    A choice that a profile makes itself is true there, and so no error.

    Args:
        request: One with `fusion`, `widths` and `room`, and maybe `dataflow` and `encoding`.
        profiles: What is asked for, without those choices.
    """
    given = vars(request)
    for flag, acts, why in _rules(given):
        name = flag.removeprefix("--")
        if not any(given.get(name) == getattr(it, name, "") or acts(it) for it in profiles):
            names = ", ".join(profile.name for profile in profiles)
            raise RequestError(
                f"{flag} has no effect here: {names} {why}; leave it out, or give another --hw"
            )


def _rules(given: Mapping[str, Any]) -> Iterator[tuple[str, Rule, str]]:
    """Each choice that is given, which profiles it acts on, and why it does not on others."""
    for operand in given["widths"]:
        yield f"--widths {operand}", _charges_width(operand), "charges nothing by its bits"
    if given["room"]:
        yield "--room", _has_choice, "has no level of limited room with another one behind it"
    for name in ("fusion", "dataflow"):
        if given.get(name):
            yield f"--{name}", _charges_moves, "has no price of its own for what moves"
    if given.get("encoding"):
        yield "--encoding", _places(_SPIKES), "keeps no spikes in a memory level"
        flow = given["dataflow"]
        packs: Rule = lambda it: (flow or it.dataflow).rules.spikes == "packed"  # noqa: E731
        yield "--encoding", packs, "moves each spike as an address, by its dataflow"


def _places(ops: Sequence[Op]) -> Rule:
    return lambda profile: any(op.buffer in profile.placement for op in ops)


def _charges_width(operand: str) -> Rule:
    places = _places(_MOVED[operand])
    return lambda it: places(it) or (it.delivery is not None and operand in _DELIVERED)


def _charges_moves(profile: HardwareProfile) -> bool:
    return bool(profile.placement) or profile.delivery is not None


def _has_choice(profile: HardwareProfile) -> bool:
    """Whether some buffer may live in several levels, and not all of it fits into the first."""
    return any(
        profile.memory[level].capacity_bytes is not None
        for levels in profile.placement.values()
        for level in levels[:-1]
    )
