"""Whether what was set of a machine is used by what is priced on it. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from energy import Estimate
from hwmodels import Op, load_profile
from hwmodels.constants import CHANGED
from hwmodels.keys import CITATION, place_of
from neurt.requests.hardware import Hardware

#: What a spike may be: one of them is, as its code has it.
_EVENTS = (Op.AC, Op.SHIFT_AC)


def idle_prices(request: Hardware, bills: Iterable[Estimate]) -> Iterator[str]:
    """A sentence, without a period, for each price or throughput set that no bill uses.

    Args:
        request: The machines, and what it sets of them.
        bills: All that was priced on them.
    """
    if not request.set:
        return
    by_name: dict[str, list[Estimate]] = {}
    for bill in bills:
        by_name.setdefault(bill.profile.name.removesuffix(CHANGED), []).append(bill)
    own = {name: load_profile(name) for name in request.names}
    for name, constants in request.constants(own).items():
        profile = own[name]
        priced = by_name.get(profile.name.removesuffix(CHANGED), [])
        counted = {bill.profile.priced_as(op) for bill in priced for op in bill.counted(None)}
        for key in constants if priced else ():
            place = place_of(profile, key)
            table, word = place.record[0], place.record[-1]
            if table not in ("prices", "throughput") or {*place.fields} <= CITATION:
                continue
            if (op := Op(word)) not in counted:
                yield _said(key, op, counted, priced[0])


def _said(key: str, op: Op, counted: Iterable[Op], bill: Estimate) -> str:
    idle = f"--set {key} moves nothing on {bill.profile.name}: no row of the bill counts {op}"
    for other in _EVENTS:
        if op in _EVENTS and other in counted:
            pj = bill.profile.energy_pj(other)
            price = "without a price" if pj is None else f"at {pj:g} pJ"
            return f"{idle}, and its events are {other} {price}; set prices.{other}"
    return idle
