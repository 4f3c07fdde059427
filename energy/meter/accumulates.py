"""How many accumulates the events of a product cause, as exact integers."""

from __future__ import annotations

import torch
from torch import Tensor

from energy.counts import Levels, Tally
from energy.formulas import Attention, Conventions
from energy.layers.matmul import MatMul
from energy.meter.awaited import whole
from energy.meter.events import count_events
from hwmodels import Op


def accumulates(
    layer: MatMul, left: Tensor, right: Tensor, events: int, conventions: Conventions
) -> int:
    """Accumulates of a product with a streaming event operand, as an exact integer."""
    causal = layer.role is not None and conventions.attention is Attention.CAUSAL
    if conventions.coincidences:
        return _coincidences(layer, left, right, causal=causal)
    queries = left.shape[-2]
    if not causal:
        return events * (right.shape[-1] if layer.streaming == "left" else queries)
    keys = right.shape[-1] if layer.role == "scores" else right.shape[-2]
    past = keys - queries
    if layer.streaming == "left" and layer.role == "scores":
        # Query i is token past + i and sees the past + i + 1 keys up to itself.
        per_query = _events_along(left, -1, layer.levels).flatten(0, -2).sum(0)
        return _weighed(per_query, torch.arange(past + 1, keys + 1))
    if layer.streaming == "right":
        # The keys are the rows of V, but the columns of K^T. Key j is seen by every query at or
        # after it: queries - max(0, j - past).
        features = -1 if layer.role == "mix" else -2
        per_key = _events_along(right, features, layer.levels).flatten(0, -2).sum(0)
        return _weighed(per_key, queries - (torch.arange(keys) - past).clamp(min=0))
    # mix, the weights stream: the mask has already zeroed what a query may not see
    return events * right.shape[-1]


def arriving(layer: MatMul, spikes: Tensor, name: str, conventions: Conventions) -> Tally:
    """What the second stream of a product of attention adds to the first.

    New keys (or values) that arrive as events while the queries (or weights) do: each event also
    meets what has been accumulated of every query that sees its token, in each of the heads that
    share it. The events are (T, ..., new tokens, features); errors name the layer.
    """
    tokens, slots = spikes.shape[-2], spikes.numel()
    events = count_events(spikes, layer.levels, name)
    causal = conventions.attention is Attention.CAUSAL
    if layer.levels is Levels.ANALOG:  # a control: every slot is multiplied
        seen = slots * (tokens + 1) // 2 if causal else slots * tokens
        return Tally({Op.MAC: seen * layer.shared_by, Op.ACTIVATION_READ: slots})
    if causal:
        per_token = _events_along(spikes, -1, layer.levels).flatten(0, -2).sum(0)
        accumulated = _weighed(per_token, torch.arange(tokens, 0, -1))
    else:
        accumulated = events * tokens
    ops = {
        layer.levels.op: accumulated * layer.shared_by,
        Op.SPIKE_READ: slots,
    }
    return Tally(ops, spikes=events, slots=slots, levels=layer.levels, channels=spikes.shape[-1])


def _events_along(spikes: Tensor, dim: int, levels: Levels) -> Tensor:
    if levels.in_units:  # as many events as units
        return spikes.abs().sum(dim, dtype=torch.int64)
    return torch.count_nonzero(spikes, dim=dim)


def _weighed(events: Tensor, times: Tensor) -> int:
    """Events (n,), each so many times (n,)."""
    return whole((events * times.to(events.device)).sum())


def _coincidences(layer: MatMul, left: Tensor, right: Tensor, *, causal: bool) -> int:
    """Events of the streaming operand that meet a non-zero entry of the other in the product."""
    levels = {"left": Levels.BINARY, "right": Levels.BINARY, layer.streaming: layer.levels}
    if not causal or layer.role == "mix":
        # In a causal mix the masked weights are zero, so they never coincide.
        per_inner = _events_along(left, -2, levels["left"])
        return whole((per_inner * _events_along(right, -1, levels["right"])).sum())
    queries, keys = left.shape[-2], right.shape[-1]
    sizes = [_units(left, levels["left"]).transpose(-1, -2), _units(right, levels["right"])]
    seen = torch.cumsum(sizes[1], dim=-1)[..., keys - queries :]
    return whole((sizes[0] * seen).sum())


def _units(spikes: Tensor, levels: Levels) -> Tensor:
    return (spikes.abs() if levels.in_units else spikes != 0).to(torch.int64)
