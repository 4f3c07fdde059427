"""The rules for layers with a matrix product or a look-up; see `energy.meter.rules`."""

from __future__ import annotations

from math import prod
from typing import Any

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy import formulas
from energy.counts import Levels, Tally
from energy.formulas import Attention, Conventions, nonlinear
from energy.formulas.attention import Events, Product, analog_attention, event_attention
from energy.formulas.latent import Latent, cached_input, expanded_attention
from energy.layers.matmul import AttentionCore, MatMul
from energy.meter import tally_elementwise  # noqa: F401 - registers the other rules
from energy.meter.accumulates import accumulates, arriving
from energy.meter.events import count_events
from energy.meter.masks import seen_of
from energy.meter.rules import Rows, is_counted, tally_call
from energy.meter.touched import channels, with_cached, with_channels

__all__ = ["Rows", "is_counted", "tally_call"]


@tally_call.register
def _(layer: nn.Linear, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    fan_in, fan_out, bias = layer.in_features, layer.out_features, layer.bias is not None
    tally = _dense(args[0], fan_in, fan_out, bias, conventions)
    return {"": cached_input(tally) if getattr(layer, "reads_cache", False) else tally}


@tally_call.register
def _(layer: Conv1D, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    fan_in, fan_out = layer.weight.shape
    return {"": _dense(args[0], fan_in, fan_out, True, conventions)}


def _dense(x: Tensor, fan_in: int, fan_out: int, bias: bool, conventions: Conventions) -> Tally:
    rows = x.numel() // fan_in
    tally = formulas.linear(rows, fan_in, fan_out, bias=bias)
    if not conventions.zeros:
        return tally
    # Each zero of the input is multiplied by a row of weights.
    found = channels(x.reshape(1, rows, fan_in))
    tally = tally._replace(zero_macs=(x.numel() - found.active) * fan_out)
    return with_channels(tally, found, fan_out)


@tally_call.register
def _(layer: nn.Embedding, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    width = out.shape[-1]
    return {"": formulas.embedding(out.numel() // width, width)}


@tally_call.register
def _(layer: AttentionCore, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    if not layer.fused:
        return {}  # the children counted themselves
    query, key, value, mask = args[:4]
    batch, heads, queries, width = query.shape
    attention = conventions.attention if layer.causal else Attention.FULL
    kv_heads = batch * key.shape[1]
    product = Product(batch * heads, queries, key.shape[-2], width, kv_heads, attention)
    product = seen_of(product, layer.reach, mask)
    of_values = product._replace(width=value.shape[-1])
    if layer.latent is None:
        scores, mix = analog_attention("scores", product), analog_attention("mix", of_values)
    else:
        latent = Latent(*layer.latent)
        scores = expanded_attention("scores", product, batch, latent)
        mix = expanded_attention("mix", of_values, batch, latent)
    softmax = nonlinear.softmax_of(
        product.pairs, product.rows, capped=layer.capped, sinks=layer.sinks
    )
    return {"scores": scores, "softmax": softmax, "mix": mix}


@tally_call.register
def _(layer: MatMul, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    left, right = args[0], args[1]
    if layer.role is None:
        return {"": _plain_product(layer, name, left, right, out, conventions)}
    product = _product(layer, left, right, out, conventions)
    if layer.events is None:
        tally = analog_attention(layer.role, product)
        if conventions.zeros:
            tally = with_cached(tally, layer, left, out, product)
        return {"": tally}
    tally = event_attention(
        layer.role,
        product,
        _events(layer, name, left, right, out, conventions),
        left=layer.levels if layer.events in ("left", "both") else None,
        right=layer.levels if layer.events in ("right", "both") else None,
        steps=left.shape[0] if layer.accumulate else 1,
    )
    if layer.levels is not Levels.ANALOG or conventions.zeros:
        tally = with_cached(tally, layer, left, out, product)
    if len(args) > 2 and args[2] is not None:
        tally = _with(tally, arriving(layer, args[2], name, conventions))
    return {"": tally}


def _with(tally: Tally, more: Tally) -> Tally:
    """A tally with the operations and events of another, which are not looked at.

    `Tally.total` would: it leaves out what is zero.
    """
    ops = {**more.ops, **{op: n + more.ops.get(op, 0) for op, n in tally.ops.items()}}
    return tally._replace(
        ops=ops,
        spikes=tally.spikes + more.spikes,
        slots=tally.slots + more.slots,
        levels=tally.levels or more.levels,
        channels=max(tally.channels, more.channels),
    )


def _product(
    layer: MatMul, left: Tensor, right: Tensor, out: Tensor, conventions: Conventions
) -> Product:
    """The shape of a product of attention."""
    batch, (queries, inner), columns = out.shape[:-2].numel(), left.shape[-2:], right.shape[-1]
    keys, width = (columns, inner) if layer.role == "scores" else (inner, columns)
    attention = conventions.attention if layer.causal else Attention.FULL
    product = Product(batch, queries, keys, width, batch // layer.shared_by, attention)
    return seen_of(product, layer.reach)


def _plain_product(
    layer: MatMul, name: str, left: Tensor, right: Tensor, out: Tensor, conventions: Conventions
) -> Tally:
    """A product without a mask."""
    if layer.events is None:
        shape = (out.shape[:-2].numel(), *left.shape[-2:], right.shape[-1])
        return formulas.matrix_product(*shape)
    events = _events(layer, name, left, right, out, conventions)
    steps = left.shape[0] if layer.accumulate else 1
    return formulas.event_product(
        steps * out.numel() * left.shape[-1],
        events.number,
        events.accumulates,
        slots=events.slots,
        stored=(right if layer.streaming == "left" else left).numel(),
        stored_is_spikes=layer.events == "both",
        results=out.numel(),
        levels=layer.levels,
        channels=(left if layer.streaming == "left" else right).shape[-1],
    )


def _events(
    layer: MatMul, name: str, left: Tensor, right: Tensor, out: Tensor, conventions: Conventions
) -> Events:
    """The events of the streaming operand, after checking every operand declared as events."""
    operands = {"left": left, "right": right}
    declared = ("left", "right") if layer.events == "both" else (str(layer.events),)
    counted = {side: count_events(operands[side], layer.levels, name) for side in declared}
    events, streaming = counted[layer.streaming], operands[layer.streaming]
    # An operand that is broadcast over the batch enters several products.
    lead = ([left.shape[0]] if layer.accumulate else []) + list(out.shape[:-2])
    left, right = (x.expand(*lead, *x.shape[-2:]) for x in (left, right))
    uses = prod(lead) // max(1, streaming.shape[:-2].numel())
    accumulated = accumulates(layer, left, right, events * uses, conventions)
    return Events(events, streaming.numel(), accumulated)
