"""From calls to layers: the network as it ran, and the analog network of the same layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypedDict

from energy.counts import Counts, Label, LayerCount, Tally
from energy.network.call import Call, Row
from energy.network.time import Time
from hwmodels import Op

#: The block of every layer: of a network of any kind nobody says more.
BLOCK = "network"


class Ran(TypedDict):
    """Fields of `Counts`: what was run, and on how many samples."""

    model: str
    weights: str
    batch: int
    tokens: int


class Settled(NamedTuple):
    """A row whose calls are what they will be counted as."""

    name: str
    row: Row
    calls: list[Call]
    depth: int  #: its place: a product begins a new layer, what follows belongs to it


def settled(rows: Mapping[str, Row]) -> list[Settled]:
    """The rows of a pass."""
    found, depth = [], -1
    for name, row in rows.items():
        if row.component in _PRODUCTS or depth < 0:
            depth += 1
        found.append(Settled(name, row, row.settle(), depth))
    return found


def as_ran(rows: Iterable[Settled], time: Time, about: Ran, uncounted: Mapping[str, int]) -> Counts:
    """The counts of a network over all time steps.

    Weights and biases are read once for all steps of an inference, whether these are calls of
    their own or not: a call of a layer is one of all steps, and where its operands fit follows.
    """
    layers = []
    for row in rows:
        tally, once = _total([call.tally for call in row.calls]), 1
        if time.by_calls(row.calls):
            once = time.executions(row.calls, spiking=bool(tally.slots))
            tally = _scaled(tally, once, only=_STORED)
        layers.append(_layer(row, tally, once))
    return Counts(
        "ssa",
        tuple(layers),
        timesteps=time.steps,
        uncounted=dict(uncounted),
        phase="inference",
        **about,
    )


def as_analog(
    rows: Iterable[Settled], time: Time, about: Ran, uncounted: Mapping[str, int]
) -> Counts:
    """The counts of the same layers, each slot as a multiply-accumulate, at one time step.

    A ReLU takes the place of each spiking neuron.
    """
    layers = []
    for row in rows:
        spiking = any(call.tally.slots for call in row.calls)
        once = time.executions(row.calls, spiking=spiking)
        tally = _total([call.analog for call in row.calls])
        apart = time.by_calls(row.calls)
        kept = frozenset[Op]() if apart else _STORED
        tally = _scaled(tally, once, but=kept)
        layers.append(_layer(row, tally, once if apart else 1, analog=True))
    return Counts("asa", tuple(layers), uncounted=dict(uncounted), phase="inference", **about)


def _total(tallies: Sequence[Tally]) -> Tally:
    return tallies[0] if len(tallies) == 1 else Tally.total(tallies)


_PRODUCTS = frozenset({"conv", "linear", "product", "recurrent"})
_STORED = frozenset({Op.WEIGHT_READ, Op.VECTOR_READ})


def _layer(of: Settled, tally: Tally, once: int, *, analog: bool = False) -> LayerCount:
    """A layer, of whose calls `once` are a single one of all time steps."""
    kind, component = of.row.kind, of.row.component
    if analog and component == "neuron":
        kind = "ReLU" if tally.ops else "Identity"
    calls = max(1, round(len(of.calls) / once))
    return LayerCount(of.name, kind, Label(BLOCK, component, of.depth), calls, tally)


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
