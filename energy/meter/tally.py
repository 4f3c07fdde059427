"""The rules for layers with a matrix product or a look-up; see `energy.meter.rules`."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from energy import formulas
from energy.counts import Tally
from energy.formulas import Attention, Conventions, nonlinear
from energy.formulas import attention as products
from energy.layers.matmul import AttentionCore, MatMul
from energy.meter import tally_elementwise  # noqa: F401 - registers the other rules
from energy.meter.accumulates import accumulates, arriving
from energy.meter.events import count_events
from energy.meter.rules import Rows, is_counted, tally_call

__all__ = ["Rows", "is_counted", "tally_call"]


@tally_call.register
def _(layer: nn.Linear, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    fan_in, fan_out, bias = layer.in_features, layer.out_features, layer.bias is not None
    return {"": _dense(args[0], fan_in, fan_out, bias, conventions)}


@tally_call.register
def _(layer: Conv1D, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    fan_in, fan_out = layer.weight.shape
    return {"": _dense(args[0], fan_in, fan_out, True, conventions)}


def _dense(x: Tensor, fan_in: int, fan_out: int, bias: bool, conventions: Conventions) -> Tally:
    rows, width = x.numel() // fan_in, x.element_size()
    tally = formulas.linear(rows, fan_in, fan_out, bias=bias, value_bytes=width)
    if not conventions.zeros:
        return tally
    # Each zero of the input is multiplied by a row of weights.
    zeros = x.numel() - int(torch.count_nonzero(x))
    return tally._replace(zero_macs=zeros * fan_out)


@tally_call.register
def _(layer: nn.Embedding, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    width = out.shape[-1]
    return {"": formulas.embedding(out.numel() // width, width, value_bytes=out.element_size())}


@tally_call.register
def _(layer: AttentionCore, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    if not layer.fused:
        return {}  # the children counted themselves
    query, key, value = args[:3]
    batch, heads, queries = query.shape[:3]
    pairs, cached = (batch * heads, queries, key.shape[-2]), batch * key.shape[1]
    how: Any = {
        "attention": conventions.attention if layer.causal else Attention.FULL,
        "value_bytes": query.element_size(),
    }
    return {
        "scores": products.scores(*pairs, query.shape[-1], cached, **how),
        "softmax": nonlinear.softmax(*pairs, **how, capped=layer.capped),
        "mix": products.mix(*pairs, value.shape[-1], cached, **how),
    }


@tally_call.register
def _(layer: MatMul, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    left, right = args[0], args[1]
    batch = out.shape[:-2].numel()
    rows, inner = left.shape[-2:]
    columns = right.shape[-1]
    queries, keys, width = (
        (rows, columns, inner) if layer.role == "scores" else (rows, inner, columns)
    )
    how: dict[str, Any] = {"value_bytes": out.element_size()}
    if layer.role is not None:
        how["attention"] = conventions.attention if layer.causal else Attention.FULL
    if layer.events is None:
        if layer.role is None:
            return {"": formulas.matrix_product(batch, rows, inner, columns, **how)}
        formula = products.scores if layer.role == "scores" else products.mix
        return {"": formula(batch, queries, keys, width, batch // layer.shared_by, **how)}

    operands = {"left": left, "right": right}
    declared = ("left", "right") if layer.events == "both" else (layer.events,)
    counted = {side: count_events(operands[side], layer.levels, name) for side in declared}
    events, streaming = counted[layer.streaming], operands[layer.streaming]
    steps = left.shape[0] if layer.accumulate else 1
    # An operand that is broadcast over the batch enters several products.
    lead = ([steps] if layer.accumulate else []) + list(out.shape[:-2])
    left, right = (x.expand(*lead, *x.shape[-2:]) for x in (left, right))
    uses = prod(lead) // max(1, streaming.shape[:-2].numel())
    accumulated = accumulates(layer, left, right, events * uses, conventions)
    if layer.role is not None:
        tally = products.event_attention(
            layer.role,
            batch,
            queries,
            keys,
            width,
            left=layer.levels if "left" in declared else None,
            right=layer.levels if "right" in declared else None,
            events=events,
            slots=streaming.numel(),
            accumulates=accumulated,
            steps=steps,
            kv_heads=batch // layer.shared_by,
            **how,
        )
        if len(args) > 2 and args[2] is not None:
            tally = Tally.total((tally, arriving(layer, args[2], name, conventions)))
    else:
        stored = operands["right" if layer.streaming == "left" else "left"]
        tally = formulas.event_product(
            steps * batch * rows * inner * columns,
            events,
            accumulated,
            slots=streaming.numel(),
            stored=stored.numel(),
            stored_is_spikes=layer.events == "both",
            results=out.numel(),
            levels=layer.levels,
            **how,
        )
    return {"": tally}
