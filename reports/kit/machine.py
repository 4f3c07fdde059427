"""What a machine is taken to be, beside its prices, in lines."""

from __future__ import annotations

from collections.abc import Iterator

from hwmodels import Dataflow, HardwareProfile, Op

#: An operation that moves values of each operand.
_MOVED = {
    "weights": Op.WEIGHT_READ,
    "activations": Op.ACTIVATION_READ,
    "vectors": Op.VECTOR_READ,
    "kv": Op.KV_READ,
    "accumulators": Op.STATE_READ,
}


def rules(profile: HardwareProfile, dataflow: Dataflow | None = None) -> Iterator[str]:
    """The rules under which it runs a model, with their definitions, and the widths of operands.

    Args:
        profile: The machine.
        dataflow: Another than that of the profile.
    """
    flow = dataflow or profile.dataflow
    yield f"dataflow {flow}: {flow.definition}"
    yield f"fusion {profile.fusion}: {profile.fusion.definition}"
    if profile.placement:
        yield f"encoding {profile.encoding}: {profile.encoding.definition}"
        yield f"room {profile.room}: {profile.room.definition}"
    if profile.placement or profile.delivery:
        widths = (f"{name} {profile.width_bits(op):g}" for name, op in _MOVED.items())
        yield f"bits of {', '.join(widths)}"


def rates(profile: HardwareProfile) -> Iterator[str]:
    """What a fetch beside the adders costs and serves, and how fast memory and arithmetic are."""
    if (fetch := profile.delivery) is not None:
        yield (
            f"delivery {fetch.pj_per_byte:g} pJ per byte fetched beside the adders, for up to "
            f"{fetch.mac_reuse:g} multiply-accumulates or {fetch.event_reuse:g} events"
        )
    if profile.bandwidth:
        each = (f"{name} {x.bytes_per_second:g}" for name, x in profile.bandwidth.items())
        yield f"bandwidth in bytes per second: {', '.join(each)}"
    if profile.throughput:
        each = (f"{op} {x.per_second:g}" for op, x in profile.throughput.items())
        yield f"operations per second: {', '.join(each)}"
    else:
        yield "no throughput: latency, and what follows from it, is unknown"
