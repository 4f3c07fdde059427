"""The rules for layers without a matrix product: norms, activations, softmax, rotary positions."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, Protocol

from torch import Tensor, nn
from transformers.activations import (
    FastGELUActivation,
    GELUActivation,
    GELUTanh,
    NewGELUActivation,
    QuickGELUActivation,
    ReLUSquaredActivation,
    SiLUActivation,
)

from energy.counts import Tally
from energy.formulas import Attention, Conventions, nonlinear
from energy.formulas.attention import Product
from energy.layers.elementwise import Multiply, Rotary
from energy.layers.matmul import ScaledSoftmax
from energy.meter.masks import seen_of
from energy.meter.rules import Rows, Rule, tally_call


class Formula(Protocol):
    """What a function costs that is applied to each element by itself."""

    def __call__(self, elements: int) -> Tally:
        """Tally of so many elements."""


def activation(formula: Formula) -> Rule:
    """The rule of a layer that applies a function to each element."""

    def rule(layer: nn.Module, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
        return {"": formula(out.numel())}

    return rule


def norm(*, centred: bool, offset: bool = False) -> Rule:
    """LayerNorm (`centred`) or RMSNorm over the last dimensions; `offset` scales by 1 + weight.

    Weights may be (heads, width): a scale for each head.
    """

    def rule(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
        width = prod(getattr(layer, "normalized_shape", out.shape[-1:]))
        shape = out.numel() // width, width
        scale, shift = (getattr(layer, x, None) is not None for x in ("weight", "bias"))
        formula = partial(nonlinear.layer_norm, shift=shift) if centred else nonlinear.rms_norm
        tally = formula(*shape, scale=scale, offset=offset)
        if scale and (heads := layer.weight.numel() // width) > 1:
            tally = nonlinear.scaled_apart(tally, heads)
        return {"": tally}

    return rule


def rotary_angles(
    layer: nn.Module, name: str, args: Any, out: Any, conventions: Conventions
) -> Rows:
    """The rule of a table of angles in which each stands twice, for both channels of its pair."""
    cos: Tensor = out[0]
    positions, channels = cos.shape[:-1].numel(), cos.shape[-1]
    return {"": nonlinear.rotary_angles(positions, channels)}


for _kinds, _formula in (
    ((nn.ReLU,), nonlinear.relu),
    ((ReLUSquaredActivation,), nonlinear.relu_squared),
    ((nn.SiLU, SiLUActivation), nonlinear.silu),
    ((QuickGELUActivation,), nonlinear.quick_gelu),
    ((GELUActivation,), nonlinear.gelu_erf),
    ((NewGELUActivation, FastGELUActivation, GELUTanh), nonlinear.gelu_tanh),
):
    for _kind in _kinds:
        tally_call.register(_kind, activation(_formula))
tally_call.register(nn.LayerNorm, norm(centred=True))
tally_call.register(nn.RMSNorm, norm(centred=False))


@tally_call.register
def _(layer: nn.GELU, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    formula = nonlinear.gelu_tanh if layer.approximate == "tanh" else nonlinear.gelu_erf
    return {"": formula(out.numel())}


@tally_call.register
def _(layer: ScaledSoftmax, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    attention = conventions.attention if layer.causal else Attention.FULL
    heads, (queries, keys) = out.shape[:-2].numel(), out.shape[-2:]
    product = Product(heads, queries, keys, 0, heads, attention)
    product = seen_of(product, layer.reach, args[2])
    sinks = args[4].numel() if len(args) > 4 and args[4] is not None else 0
    capped = len(args) > 3 and args[3] is not None
    return {"": nonlinear.softmax_of(product.pairs, product.rows, capped=capped, sinks=sinks)}


@tally_call.register
def _(layer: Multiply, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    return {"": nonlinear.multiply(out.numel())}


@tally_call.register
def _(
    layer: Rotary, name: str, args: Any, out: tuple[Tensor, Tensor], conventions: Conventions
) -> Rows:
    query, key, cos = args[:3]
    channels = min(cos.shape[-1], query.shape[-1])
    vectors = sum(x.numel() // x.shape[-1] for x in (query, key))
    return {"": nonlinear.rotary(vectors * channels, cos.numel())}
