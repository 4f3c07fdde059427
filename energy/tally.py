"""Which formula counts which layer type.

`tally_call` is a `singledispatch` function on the layer: a subclass inherits its parent's rule,
the closest rule wins, and anybody adds a layer type with `@tally_call.register` beside its
definition. A type without a rule is not counted, and the audit of `energy.meter` makes sure that
it holds no matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D

from energy import formulas, nonlinear, products
from energy.counts import Tally
from energy.formulas import Attention, Conventions
from energy.matmul import AttentionCore, Levels, MatMul, ScaledSoftmax

#: Rows that one call adds to, by name below the layer; "" is the layer itself.
Rows = Mapping[str, Tally]


@singledispatch
def tally_call(
    layer: nn.Module, name: str, args: tuple[Any, ...], out: Any, conventions: Conventions
) -> Rows:
    """Count one call of a layer.

    Args:
        layer: The layer that ran.
        name: Its dotted name, for error messages.
        args: Its positional arguments, in the order of its `forward`.
        out: What it returned.
        conventions: Choices that change a count.

    Returns:
        A tally for the layer (key `""`) and for parts that have no module of their own.

    Raises:
        TypeError: If no rule is registered for the type.
    """
    raise TypeError(f"layer '{name}' ({type(layer).__name__}) has no counting rule")


def is_counted(kind: type[nn.Module]) -> bool:
    """Whether a rule is registered for the type or one of its parents."""
    return tally_call.dispatch(kind) is not tally_call.dispatch(object)


@tally_call.register
def _(layer: nn.Linear, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    x: Tensor = args[0]
    return {
        "": formulas.linear(
            x.numel() // layer.in_features,
            layer.in_features,
            layer.out_features,
            bias=layer.bias is not None,
            value_bytes=x.element_size(),
        )
    }


@tally_call.register
def _(layer: Conv1D, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    x: Tensor = args[0]
    fan_in, fan_out = layer.weight.shape
    return {
        "": formulas.linear(
            x.numel() // fan_in, fan_in, fan_out, bias=True, value_bytes=x.element_size()
        )
    }


@tally_call.register
def _(layer: nn.Embedding, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    width = out.shape[-1]
    return {"": formulas.embedding(out.numel() // width, width, value_bytes=out.element_size())}


@tally_call.register
def _(layer: nn.LayerNorm, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    width = prod(layer.normalized_shape)
    return {
        "": nonlinear.layer_norm(
            out.numel() // width,
            width,
            scale=layer.weight is not None,
            shift=layer.bias is not None,
            value_bytes=out.element_size(),
        )
    }


@tally_call.register
def _(
    layer: NewGELUActivation, name: str, args: Any, out: Tensor, conventions: Conventions
) -> Rows:
    return {"": nonlinear.gelu_tanh(out.numel(), value_bytes=out.element_size())}


@tally_call.register
def _(layer: nn.ReLU, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    return {"": nonlinear.relu(out.numel(), value_bytes=out.element_size())}


@tally_call.register
def _(layer: ScaledSoftmax, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    queries, keys = out.shape[-2:]
    return {
        "": nonlinear.softmax(
            out.shape[:-2].numel(),
            queries,
            keys,
            attention=conventions.attention,
            value_bytes=out.element_size(),
        )
    }


@tally_call.register
def _(layer: AttentionCore, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
    if not layer.fused:
        return {}  # the children counted themselves
    query, key = args[0], args[1]
    batch, heads, queries, width = query.shape
    shape = (batch * heads, queries, key.shape[-2], width, batch * key.shape[1])
    how: Any = {"attention": conventions.attention, "value_bytes": query.element_size()}
    return {
        "scores": products.scores(*shape, **how),
        "softmax": nonlinear.softmax(*shape[:3], **how),
        "mix": products.mix(*shape, **how),
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
        how["attention"] = conventions.attention
    if layer.events is None:
        if layer.role is None:
            return {"": formulas.matrix_product(batch, rows, inner, columns, **how)}
        formula = products.scores if layer.role == "scores" else products.mix
        return {"": formula(batch, queries, keys, width, batch // layer.shared_by, **how)}

    operands = {"left": left, "right": right}
    declared = ("left", "right") if layer.events == "both" else (layer.events,)
    counted = {side: Levels.BINARY.count_events(operands[side], name) for side in declared}
    events, streaming = counted[layer.streaming], operands[layer.streaming]
    # An operand that is broadcast over the batch enters several products.
    left, right = (x.expand(*out.shape[:-2], *x.shape[-2:]) for x in (left, right))
    uses = batch // max(1, streaming.shape[:-2].numel())
    accumulates = _accumulates(layer, left, right, events * uses, conventions)
    if layer.role is not None:
        tally = products.event_attention(
            layer.role,
            batch,
            queries,
            keys,
            width,
            left_is_spikes="left" in declared,
            right_is_spikes="right" in declared,
            events=events,
            slots=streaming.numel(),
            accumulates=accumulates,
            **how,
        )
    else:
        stored = operands["right" if layer.streaming == "left" else "left"]
        tally = formulas.event_product(
            batch * rows * inner * columns,
            events,
            accumulates,
            slots=streaming.numel(),
            stored=stored.numel(),
            stored_is_spikes=layer.events == "both",
            results=out.numel(),
            **how,
        )
    return {"": tally}


def _accumulates(
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
        per_query = _count_along(left, dim=-1).flatten(0, -2).sum(0)
        return int(per_query @ torch.arange(past + 1, keys + 1))
    if layer.streaming == "right":
        # The keys are the rows of V, but the columns of K^T. Key j is seen by every query at or
        # after it: queries - max(0, j - past).
        per_key = _count_along(right, dim=-1 if layer.role == "mix" else -2).flatten(0, -2).sum(0)
        return int(per_key @ (queries - (torch.arange(keys) - past).clamp(min=0)))
    # mix, the weights stream: the mask has already zeroed what a query may not see
    return events * right.shape[-1]


def _count_along(spikes: Tensor, dim: int) -> Tensor:
    return torch.count_nonzero(spikes, dim=dim).to("cpu")


def _coincidences(layer: MatMul, left: Tensor, right: Tensor, *, causal: bool) -> int:
    """Pairs of non-zero left and non-zero right entries that meet in the product."""
    if not causal or layer.role == "mix":
        # In a causal mix the masked weights are zero, so they never coincide.
        per_inner = _count_along(left, dim=-2) * _count_along(right, dim=-1)
        return int(per_inner.sum())
    queries, keys = left.shape[-2], right.shape[-1]
    seen = torch.cumsum((right != 0).to(torch.int64), dim=-1)[..., keys - queries :]
    return int(((left != 0).transpose(-1, -2) * seen).sum())
