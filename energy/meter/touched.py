"""Which rows of stored operands the values of a call need: those that meet one that is not zero.

A channel that is silent in every time step of every token needs no row of the weights, a key that
no query attends to no row of V, and queries of a head that are silent no row of K.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from energy.counts import Tally
from energy.formulas import Attention
from energy.formulas.attention import Product
from energy.layers.matmul import MatMul

#: Queries of the first part of a tensor that is looked at; each part is as many times as long.
_FIRST, _GROWTH = 4, 8


class Channels(NamedTuple):
    """Input channels of a layer that are not silent."""

    touched: int  #: in any step of any token
    active: int  #: in any step of a token, of all tokens


def channels(x: Tensor) -> Channels:
    """The channels of inputs (T, ..., channels) of T time steps that are not silent."""
    state = None if x.is_inference() else x._version
    known: tuple[int, Channels] | None = getattr(x, "_active_channels", None)
    if state is not None and known is not None and known[0] == state:
        return known[1]  # Q, K and V are made of one tensor
    rows = _in_any_step(x).reshape(-1, x.shape[-1])
    found = Channels(int(rows.any(0).sum()), int(torch.count_nonzero(rows)))
    if state is not None:
        x._active_channels = (state, found)  # type: ignore[attr-defined]
    return found


def _in_any_step(x: Tensor) -> Tensor:
    """Where something is not zero in the first dimension (T, ...)."""
    if x.device.type != "cpu" or x.dtype is torch.bfloat16:
        return (x != 0).any(0)
    steps = x.detach().numpy()  # compares many times faster than torch
    found = steps[0] != 0
    for step in steps[1:]:
        found |= step != 0
    return torch.from_numpy(found)


def with_channels(tally: Tally, found: Channels, fan_out: int) -> Tally:
    """A tally of a layer with the rows of its weights that its inputs need."""
    touched, active = (number * fan_out for number in found)
    return tally.seen(touched, active)


def with_cached(tally: Tally, layer: MatMul, left: Tensor, out: Tensor, product: Product) -> Tally:
    """A tally of a product of attention with the rows of K or V that its left operand needs.

    A row of V is needed if some query gives it a weight that is not zero, in any time step, in any
    of the heads that share it. A query that is not silent needs each row of K that it is counted to
    see, of the head of K that it meets.
    """
    steps = [left.shape[0]] if layer.accumulate else []
    every = left.expand(*steps, *out.shape[:-2], *left.shape[-2:])
    # (steps, cached heads, heads that share one, queries, inner)
    heads = every.reshape(*(steps or [1]), -1, layer.shared_by, *left.shape[-2:])
    rows = _keys_seen(heads, product) if layer.role == "scores" else _keys_weighed(heads)
    return tally.seen(touched_kv=rows * product.width)


def _keys_weighed(weights: Tensor) -> int:
    """Keys of all cached heads that have a weight, of weights (T, heads, G, queries, keys).

    The last queries see most keys, so they are looked at first, and the others only for what they
    left.
    """
    found = torch.zeros(weights.shape[1], weights.shape[-1], dtype=torch.bool)
    left, end, size = torch.arange(weights.shape[-1]), weights.shape[-2], _FIRST
    while end > 0 and len(left):
        part = weights[..., max(0, end - size) : end, :]
        if len(left) < weights.shape[-1]:
            part = part[..., left.to(part.device)]
        seen = _not_zero(part).any(0).any(1).any(1)
        found[:, left] |= seen.cpu()
        left, end, size = left[~found[:, left].all(0)], end - size, size * _GROWTH
    return int(found.sum())


def _keys_seen(queries: Tensor, product: Product) -> int:
    """Keys that queries (T, heads, G, queries, channels) meet which are not silent."""
    number = queries.shape[-2]
    silent, end, size = torch.ones(queries.shape[1], dtype=torch.bool), number, _FIRST
    rows = 0
    while end > 0 and bool(silent.any()):
        start = max(0, end - size)
        part = queries[..., start:end, :]
        sends = _not_zero(part).any(-1).any(0).any(1).cpu() & silent[:, None]
        last = torch.where(sends, torch.arange(start, end), -1).amax(1)
        heard = last[last >= 0]
        if product.attention is Attention.CAUSAL:  # up to the last one that is not silent
            rows += int((heard + product.keys - number + 1).sum())
        else:
            rows += product.keys * len(heard)
        silent &= last < 0
        end, size = start, size * _GROWTH
    return rows


def _not_zero(x: Tensor) -> Tensor:
    if x.device.type != "cpu" or x.dtype is torch.bfloat16:
        return x != 0
    return torch.from_numpy(x.detach().numpy() != 0)
