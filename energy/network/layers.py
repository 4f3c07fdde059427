"""From calls to layers: the network as it ran, and the analog network of the same layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from energy.counts import Counts, Label, LayerCount, Tally
from energy.network.call import Call, Row
from energy.network.time import Time
from energy.network.watch import Watch
from hwmodels import Op

#: The block of every layer: of a network of any kind nobody says more.
BLOCK = "network"


class Ran(TypedDict):
    """Fields of `Counts`: what was run, and on how many samples."""

    model: str
    weights: str
    batch: int
    tokens: int


def as_ran(watch: Watch, time: Time, about: Ran) -> Counts:
    """The counts of a network over all time steps.

    Weights and biases are read once for all steps of an inference, whether these are calls of
    their own or not.
    """
    layers = []
    for depth, name, row in _placed(watch):
        calls = row.settle()
        tally = Tally.total(call.tally for call in calls)
        if time.by_calls(calls):
            once = time.executions(calls, spiking=bool(tally.slots))
            tally = _scaled(tally, once, only=_STORED)
        layers.append(_layer(name, row, calls, tally, depth))
    return Counts(
        "ssa",
        tuple(layers),
        timesteps=time.steps,
        uncounted=dict(watch.uncounted),
        phase="inference",
        **about,
    )


def as_analog(watch: Watch, time: Time, about: Ran) -> Counts:
    """The counts of the same layers, each slot as a multiply-accumulate, at one time step.

    A ReLU takes the place of each spiking neuron.
    """
    layers = []
    for depth, name, row in _placed(watch):
        calls = row.settle()
        spiking = any(call.tally.slots for call in calls)
        once = time.executions(calls, spiking=spiking)
        tally = Tally.total(call.analog for call in calls)
        kept = frozenset[Op]() if time.by_calls(calls) else _STORED
        tally = _scaled(tally, once, but=kept)
        layers.append(_layer(name, row, calls, tally, depth, analog=True))
    return Counts("asa", tuple(layers), uncounted=dict(watch.uncounted), phase="inference", **about)


def _placed(watch: Watch) -> Iterator[tuple[int, str, Row]]:
    """The rows, each with its place: a product begins a new layer, what follows belongs to it."""
    depth = -1
    for name, row in watch.rows.items():
        if row.component in _PRODUCTS or depth < 0:
            depth += 1
        yield depth, name, row


_PRODUCTS = frozenset({"conv", "linear", "product", "recurrent"})
_STORED = frozenset({Op.WEIGHT_READ, Op.VECTOR_READ})


def _layer(
    name: str, row: Row, calls: list[Call], tally: Tally, depth: int, *, analog: bool = False
) -> LayerCount:
    kind, component = row.kind, row.component
    if analog and component == "neuron":
        kind = "ReLU" if tally.ops else "Identity"
    return LayerCount(name, kind, Label(BLOCK, component, depth), len(calls), tally)


def _scaled(
    tally: Tally,
    parts: int,
    only: frozenset[Op] | None = None,
    but: frozenset[Op] = frozenset(),
) -> Tally:
    """A share of a tally; of some operations, or of all but some."""
    if parts == 1:
        return tally
    ops = {
        op: _share(n, parts) if (only is None or op in only) and op not in but else n
        for op, n in tally.ops.items()
    }
    if only is not None:
        return tally._replace(ops=ops)
    return tally._replace(ops=ops, dense_macs=_share(tally.dense_macs, parts))


def _share(number: float, parts: int) -> float:
    whole = int(number) // parts
    return whole if whole * parts == number else number / parts
