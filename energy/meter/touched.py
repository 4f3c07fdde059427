"""Which rows of stored operands the values of a call need: those that meet one that is not zero.

A channel that is silent in every time step of every token needs no row of the weights, a key that
no query attends to no row of V, and queries of a head that are silent no row of K.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from energy.counts import Tally
from energy.formulas import Attention
from energy.formulas.attention import Product
from energy.layers.matmul import MatMul
from energy.meter.awaited import here, whole, wholes
from energy.meter.events import Mask, active_entries

#: Queries of the first part of a tensor that is looked at; each part is as many times as long.
_FIRST, _GROWTH = 4, 8


class Channels(NamedTuple):
    """Input channels of a layer that are not silent."""

    touched: int  #: in any step of any token
    active: int  #: in any step of a token, of all tokens


def channels(x: Tensor) -> Channels:
    """The channels of inputs (T, ..., channels) of T time steps that are not silent."""
    version = -1 if x.is_inference() else x._version
    known: tuple[int, Channels] | None = getattr(x, "_known_channels", None)
    if known is not None and known[0] == version:
        return Channels(*map(here, known[1]))  # Q, K and V are made of one tensor
    if x.device.type == "cpu":
        rows = _in_any_step(x).reshape(-1, x.shape[-1])
        found = Channels(int(np.count_nonzero(rows.any(0))), int(np.count_nonzero(rows)))
    else:
        there = (x.detach() != 0).any(0).reshape(-1, x.shape[-1])
        found = Channels(*wholes(torch.stack([there.any(0).sum(), there.sum()])))
    if version >= 0:
        x._known_channels = (version, found)  # type: ignore[attr-defined]
    return found


def _in_any_step(x: Tensor) -> Mask:
    """Where something is not zero in the first dimension (T, ...)."""
    if (active := active_entries(x)) is not None:
        return active
    found, *steps = map(_not_zero, x)
    for step in steps:
        found |= step
    return found


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
    active = active_entries(left) if steps else None
    if active is not None:  # of all steps together
        left, steps = torch.from_numpy(active), []
    every = left.expand(*steps, *out.shape[:-2], *left.shape[-2:])
    heads = (*(steps or [1]), product.kv_heads, layer.shared_by)
    if left.device.type != "cpu":
        values = every.detach().reshape(*heads, *every.shape[-2:])
        return tally.seen(touched_kv=_rows_there(values, layer, product) * product.width)
    parts = _parts(every, heads)
    rows = _keys_seen(parts, product) if layer.role == "scores" else _keys_weighed(parts, product)
    return tally.seen(touched_kv=rows * product.width)


def _parts(values: Tensor, heads: tuple[int, ...]) -> Iterator[tuple[int, Tensor]]:
    """Queries as (T, cached heads, heads that share one, queries, inner), the last ones first.

    They see most keys, so that hardly any of the others need be looked at; each comes with the
    place of its first query.
    """
    end, size = values.shape[-2], _FIRST
    while end > 0:
        start = max(0, end - size)
        part = values[..., start:end, :]
        yield start, part.reshape(*heads, *part.shape[-2:])
        end, size = start, size * _GROWTH


def _keys_weighed(parts: Iterable[tuple[int, Tensor]], product: Product) -> int:
    """Keys of all cached heads to which a query gives a weight."""
    found = np.zeros((product.kv_heads, product.keys), bool)
    for _, part in parts:
        left = np.flatnonzero(~found.all(0))
        if not len(left):
            break
        if len(left) < len(found[0]):
            part = part[..., torch.from_numpy(left).to(part.device)]
        found[:, left] |= _not_zero(part).any((0, 2, 3))
    return int(np.count_nonzero(found))


def _keys_seen(parts: Iterable[tuple[int, Tensor]], product: Product) -> int:
    """Keys of all cached heads that a query sees which is not silent."""
    last = np.full(product.kv_heads, -1)  # the last one that is not silent
    for start, part in parts:
        awake = _not_zero(part).any((0, 2, 4))
        place = np.where(awake, np.arange(start, start + awake.shape[1]), -1).max(1)
        last = np.maximum(last, place)
        if (last >= 0).all():
            break
    heard = last[last >= 0]
    if product.attention is Attention.FULL:
        return product.keys * len(heard)
    return int((heard + product.keys - product.queries + 1).sum())


def _rows_there(values: Tensor, layer: MatMul, product: Product) -> int:
    """The same on an accelerator, of all queries at once (T, cached heads, shared, queries, inner).

    It is not asked what it found on the way; see `energy.meter.awaited`.
    """
    there = values != 0
    if layer.role != "scores":
        return whole(there.any(3).any(2).any(0).sum())
    awake = there.any(4).any(2).any(0)
    place = torch.arange(1, awake.shape[1] + 1, device=values.device)
    last = (awake * place).amax(1) - 1  # the last one that is not silent; -1 where all are
    keys = last + product.keys - product.queries + 1
    if product.attention is Attention.FULL:
        keys = torch.full_like(last, product.keys)
    return whole((keys * (last >= 0)).sum())


def _not_zero(x: Tensor) -> Mask:
    x = x.detach()
    if x.dtype is torch.bfloat16:
        return np.asarray((x != 0).numpy())
    return np.asarray(x.numpy() != 0)  # many times faster than torch
