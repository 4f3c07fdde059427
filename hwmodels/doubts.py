"""What a valid profile says that is likely a slip: prices of nothing, or of other numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from hwmodels.errors import Caution
from hwmodels.ops import Op
from hwmodels.prices import MemoryLevel
from hwmodels.profile import HardwareProfile


class ProfileWarning(Caution):
    """A hardware profile that is valid, and probably not what its author meant."""


def doubts(
    profile: HardwareProfile, levels: Iterable[str], foreign: Mapping[str, str]
) -> Iterator[str]:
    """A sentence for each doubt.

    Args:
        profile: A profile.
        levels: Names of the memory levels that its author added.
        foreign: The precision whose prices it took over, by operation, where that is not its own.
    """
    placed = {level for levels in profile.placement.values() for level in levels}
    for level in levels:
        if level not in placed:
            yield f"memory.{level} is used by nothing: name it in `placement`, or take it out"
    pairs = {pair for levels in profile.placement.values() for pair in pairwise(levels)}
    for near, far in sorted(pairs):
        least, most = _read_pj(profile.memory[near])[0], _read_pj(profile.memory[far])[1]
        if least > most:
            yield (
                f"memory.{near} stands before memory.{far} in `placement` and costs more to read "
                f"({least:g} and {most:g} pJ per byte), so that more room in it costs more; put "
                "the cheaper one first"
            )
    if (fetch := profile.delivery) is not None and fetch.reuse_range is not None:
        low, high = fetch.reuse_range
        for name, reuse in (("mac_reuse", fetch.mac_reuse), ("event_reuse", fetch.event_reuse)):
            if not low <= reuse <= high:
                yield (
                    f"delivery.reuse_range is {low:g} to {high:g}, which leaves out {name} "
                    f"{reuse:g}; give a range that holds it"
                )
    if Op.SPIKE_HOP in profile.prices and profile.core is None:
        yield (
            "prices.spike_hop is never charged: without [core], which says what a core holds, no "
            "spike is routed"
        )
    for precision in dict.fromkeys(foreign.values()):
        ops = ", ".join(op for op, of in foreign.items() if of == precision)
        yield (
            f"{ops}: priced as in '{precision}', though its precision is '{profile.precision}'; "
            "price them, or name them in `unpriced`"
        )


def _read_pj(level: MemoryLevel) -> tuple[float, float]:
    """The cheapest and the dearest byte that is read from a level, in picojoules."""
    if level.read_pj_per_byte is not None:
        return level.read_pj_per_byte, level.read_pj_per_byte
    each = [pj for _, pj in level.curve]
    return min(each), max(each)
