"""The rules for mixtures of experts: the experts, from what was chosen, and the routers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from energy.formulas import Conventions, linear, nonlinear
from energy.formulas.experts import (
    Routing,
    expected_experts,
    expert_product,
    gate,
    routing,
    weighted_sum,
)
from energy.meter.rules import Rows, Rule, tally_call


def chosen_experts(index: Tensor, experts: int) -> tuple[int, float]:
    """Pairs of a token and an expert, and experts that any token chose.

    Without values (on the meta device) nobody chose: the number that is expected.

    Args:
        index: (tokens, chosen) numbers of experts; those from `experts` on are none.
        experts: How many there are.
    """
    if index.device.type == "meta":
        tokens, chosen = index.shape[:-1].numel(), index.shape[-1]
        return index.numel(), expected_experts(experts, chosen, tokens)
    held = index[index < experts]
    return held.numel(), held.unique().numel()


def experts(*, transposed: bool, clamped: bool, shifted: bool) -> Rule:
    """The rule of a module that holds a feed-forward block of each expert.

    Its weights are (experts, out, in), or (experts, in, out) where they are `transposed`; gated
    ones have gate and up in one. Clamps and a shift belong to the gate; see
    `energy.formulas.experts.gate`. An activation that is a child counts itself.
    """

    def rule(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
        up = "gate_up_proj" if "gate_up_proj" in layer._parameters else "up_proj"
        down = layer.down_proj
        number = down.shape[0]
        pairs, used = chosen_experts(args[1], number)
        hidden, width = down.shape[1:] if transposed else down.shape[:0:-1]
        fan_out = getattr(layer, up).shape[2 if transposed else 1]
        product = partial(expert_product, pairs, used=used)
        rows = {up: product(width, fan_out, bias=f"{up}_bias" in layer._parameters)}
        if fan_out != hidden:
            own = not any(x in layer._modules for x in ("act_fn", "activation_fn", "act"))
            rows["multiply"] = gate(pairs * hidden, clamped=clamped, shifted=shifted, swish=own)
        rows["down_proj"] = product(hidden, width, bias="down_proj_bias" in layer._parameters)
        chosen = args[1].shape[-1]
        return rows | {"weighted_sum": weighted_sum(args[1].numel() // chosen, chosen, width)}

    return rule


def router(find: Callable[[Any], Routing | None], matrix_of: Callable[[Any], str | None]) -> Rule:
    """The rule of a router.

    Args:
        find: How a router of the type chooses, but for its numbers of experts; configurations
            differ in it. Asked once for each.
        matrix_of: The child that holds its matrix, "" where it does so itself.
    """
    found: WeakKeyDictionary[Any, Routing | None] = WeakKeyDictionary()

    def rule(layer: Any, name: str, args: Any, out: Any, conventions: Conventions) -> Rows:
        matrix = matrix_of(layer) or ""
        holder = getattr(layer, matrix) if matrix else layer
        experts, width = holder.weight.shape
        tokens = args[0].numel() // width
        bias = holder._parameters.get("bias") is not None
        rows = {matrix: linear(tokens, width, experts, bias=bias)}
        if layer not in found:
            found[layer] = find(layer)
        if (how := found[layer]) is not None:
            own = how._replace(experts=experts, chosen=layer.top_k)
            if how.groups:
                own = own._replace(groups=layer.num_group, groups_chosen=layer.topk_group)
            rows["choice"] = routing(tokens, own)
        return rows

    return rule


#: How many experts a token chooses, for modules that run all of them and do not know it.
chosen_of: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def repeated_experts(
    layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions
) -> Rows:
    """The rule of Llama 4, which runs all experts on all tokens, most of them multiplied by 0.

    Those that are not 0 are what was chosen: the others are no work of the model, and neither are
    their activations. Without values (on the meta device) nobody chose: the number that is
    expected.
    """
    number, width, fan_out = layer.gate_up_proj.shape
    hidden, x = layer.down_proj.shape[1], args[0].reshape(number, -1, width)
    tokens = x.shape[1]
    if x.device.type == "meta":
        pairs = tokens * chosen_of[layer]
        used = expected_experts(number, chosen_of[layer], tokens)
    else:
        chosen = x.ne(0).any(-1)
        pairs, used = int(chosen.sum()), int(chosen.any(1).sum())
    product = partial(expert_product, pairs, used=used)
    made = torch.empty(pairs, hidden, device="meta")
    activated = tally_call(layer.act_fn, f"{name}.act_fn", (made,), made, conventions)
    return {
        "gate_up_proj": product(width, fan_out),
        "act_fn": activated[""],
        "multiply": nonlinear.multiply(pairs * hidden),
        "down_proj": product(hidden, width),
        "weighted_sum": weighted_sum(tokens, max(1, pairs // tokens), width),
    }
