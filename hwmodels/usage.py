"""What of a profile a bill can use, and what a bill may count that it has no price for."""

from __future__ import annotations

from collections.abc import Iterator

from hwmodels.dataflow import Dataflow
from hwmodels.machine import Operand
from hwmodels.ops import Buffer, Op
from hwmodels.profile import HardwareProfile

#: The buffers whose bytes are as wide as an operand.
_STORED: dict[Operand, tuple[Buffer, ...]] = {
    "weights": (Buffer.WEIGHTS,),
    "vectors": (Buffer.WEIGHTS,),
    "activations": (Buffer.ACTIVATIONS,),
    "kv": (Buffer.KV_CACHE,),
    "accumulators": (Buffer.STATE,),
}
_DELIVERED: tuple[Operand, ...] = ("weights", "kv")


def occurs(profile: HardwareProfile, op: Op) -> bool:
    """Whether a machine like this can execute an operation at all.

    A neuron is charged whole or by its parts, never both; spikes hop where there are cores.
    """
    if op is Op.NEURON_UPDATE or op.alike is not None:
        return (op is Op.NEURON_UPDATE) == profile.prices_updates
    if op is Op.SPIKE_HOP:
        return profile.core is not None
    return op is not Op.DELIVERY or profile.delivery is not None


def unpriced(profile: HardwareProfile) -> list[Op]:
    """Operations that may be counted, and have no price."""
    return [op for op in Op if occurs(profile, op) and not profile.is_priced(op)]


def unused(profile: HardwareProfile) -> Iterator[str]:
    """A clause for each field that no bill can use, whatever is counted: its key, and why."""
    yield from _idle_operations(profile)
    yield from _idle_levels(profile)
    yield from _idle_widths(profile)
    if profile.dataflow is Dataflow.GATHERED and not _charges_weights(profile):
        yield "dataflow (reading weights has no price, so that rows left out save nothing)"


def _charges_weights(profile: HardwareProfile) -> bool:
    """Whether what is read of weights has a price of its own."""
    return Op.WEIGHT_READ in profile.prices or Buffer.WEIGHTS in profile.placement


def _idle_operations(profile: HardwareProfile) -> Iterator[str]:
    for where in ("prices", "included", "throughput"):
        for op in getattr(profile, where):
            if occurs(profile, op):
                continue
            if op is Op.SPIKE_HOP:
                why = "without [core] no spike is routed"
            elif op is Op.NEURON_UPDATE:
                why = "neurons are charged by what they do"
            else:
                why = "neurons are charged by whole updates"
            yield f"{where}.{op} ({why})"


def _idle_levels(profile: HardwareProfile) -> Iterator[str]:
    memory, places = profile.memory, profile.placement.values()
    for level in memory:
        reached = [levels[: _limit(profile, levels)] for levels in places if level in levels]
        used = any(level in levels for levels in reached)
        if not reached:
            yield f"memory.{level} (no buffer may live there)"
        elif not used:
            yield f"memory.{level} (everything fits in a level before it)"
        elif memory[level].capacity_bytes is not None and _takes_the_rest(profile, level):
            yield f"memory.{level}.capacity_bytes (the last level takes all that is left)"
        if level in profile.bandwidth and not (used and profile.throughput):
            why = "it is not used" if not used else "without throughput no time is known"
            yield f"bandwidth.{level} ({why})"


def _limit(profile: HardwareProfile, levels: tuple[str, ...]) -> int:
    """How many levels of a list can be reached: one without a limit of room is the last."""
    sizes = [profile.memory[level].capacity_bytes for level in levels]
    return sizes.index(None) + 1 if None in sizes else len(sizes)


def _takes_the_rest(profile: HardwareProfile, level: str) -> bool:
    """Whether a level is the last one of every buffer, and not where blocks of queries lie."""
    lists = [levels for levels in profile.placement.values() if level in levels]
    blocks = profile.placement.get(Buffer.ACTIVATIONS, ())
    return all(levels[-1] == level for levels in lists) and blocks[:1] != (level,)


def _idle_widths(profile: HardwareProfile) -> Iterator[str]:
    for operand, buffers in _STORED.items():
        said = operand in profile.widths.model_fields_set
        moved = any(buffer in profile.placement for buffer in buffers)
        if said and not moved and not (profile.delivery and operand in _DELIVERED):
            yield f"widths.{operand} (what it is of has no place)"
    spikes_move = Buffer.SPIKES in profile.placement
    if "encoding" in profile.model_fields_set and not spikes_move:
        yield "encoding (spikes have no place)"
    if "room" in profile.model_fields_set and all(
        _limit(profile, levels) == 1 for levels in profile.placement.values()
    ):
        yield "room (each buffer has one level)"
