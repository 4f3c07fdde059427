"""What a valid profile says that is likely a slip: prices of nothing, or of other numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hwmodels.errors import Caution
from hwmodels.ops import Op
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
