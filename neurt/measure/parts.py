"""The parts of a model of which a break-even is found. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from energy import Counts, LayerCount
from energy.compare.breakeven import Part
from hwmodels import Op
from hwmodels.errors import UserError
from neurt.spiking.config import Code
from neurt.spiking.feeds import coders_of


class BreakEvenError(UserError, ValueError):
    """A break-even that cannot be found."""


def event_layers(asa: Counts, ssa: Counts, *, by_depth: bool) -> Iterator[Part]:
    """Event layers with the coders that feed them alone: one by one, or those of all depths.

    Layers that share a coder (Q, K and V, or the gate and what it multiplies) are one.
    """
    spiking = {row.name for row in ssa.layers}
    groups: dict[str, list[LayerCount]] = {}
    for row in _rows_with_events(asa, ssa):
        shared = min(coders_of(row.name) & spiking, default=row.name)
        groups.setdefault(shared if by_depth else row.label.component, []).append(row)
    for component, rows in groups.items():
        path = rows[0].name.rpartition(".")[0]
        short = "+".join(row.name.rpartition(".")[2] for row in rows)
        yield _layer_part(f"{path}.{short}".lstrip(".") if by_depth else component, rows, ssa)


def _rows_with_events(asa: Counts, ssa: Counts) -> Iterator[LayerCount]:
    """Layers of the spiking model that multiply events."""
    analog = {row.name for row in asa.layers}
    for row in ssa.layers:
        if row.tally.slots and row.tally.dense_macs:
            if row.name not in analog:
                raise BreakEvenError(
                    f"layer '{row.name}' takes events, but the analog variant has no such layer; "
                    "give counts of one model and its conversion"
                )
            yield row


def _layer_part(name: str, rows: Sequence[LayerCount], ssa: Counts) -> Part:
    """Layers with the coders that feed them."""
    products = {row.name for row in rows}
    known = {coder for product in products for coder in coders_of(product)}
    fed = [row for row in ssa.layers if row.name in known]
    shapes = "/".join(sorted({_size(row, ssa) for row in rows} - {""}))
    return Part(
        name,
        "layer" if fed else "product",
        rows[0].label.component,
        f"{shapes or 'two activations'}, {'with its coder' if fed else 'no neurons'}",
        frozenset(products),
        frozenset(products | {row.name for row in fed}),
        highest_rate(fed),
    )


def _size(row: LayerCount, counts: Counts) -> str:
    """Inputs x outputs of a linear layer; nothing for a product of two activations."""
    weights = row.tally.ops.get(Op.WEIGHT_READ, 0) // max(1, row.calls)
    outputs = row.tally.dense_macs // row.tally.slots
    return f"{weights // outputs:.0f}x{outputs:.0f}" if weights else ""


def blocks(asa: Counts, ssa: Counts) -> Iterator[Part]:
    """The blocks of attention and feed-forward, and the model."""
    for block in ("attention", "ffn"):
        rows = [counts.only(block=block).layers for counts in (asa, ssa)]
        analog, spiking = (frozenset(row.name for row in side) for side in rows)
        includes = "whole block, with norms and neurons"
        highest = highest_rate(rows[1])
        yield Part(f"{block} block", "block", "", includes, analog, spiking, highest)
    whole = "whole model, with embeddings and head"
    yield Part("model", "model", "", whole, None, None, highest_rate(ssa.layers))


def highest_rate(rows: Iterable[LayerCount]) -> float:
    """Events that a slot can hold in one time step; a burst has up to seven."""
    return 7.0 if any(row.kind == Code.BURST.kind for row in rows) else 1.0
