"""The rules for layers without a matrix product: norms, activations, softmax, rotary positions."""

from __future__ import annotations

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
from energy.layers.elementwise import Multiply, Rotary
from energy.layers.matmul import ScaledSoftmax
from energy.meter.rules import Rows, Rule, tally_call


class Formula(Protocol):
    """What a function costs that is applied to each element by itself."""

    def __call__(self, elements: int, *, value_bytes: int) -> Tally:
        """Tally of so many elements."""


def activation(formula: Formula) -> Rule:
    """The rule of a layer that applies a function to each element."""

    def rule(layer: nn.Module, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
        return {"": formula(out.numel(), value_bytes=out.element_size())}

    return rule


def norm(*, centred: bool, offset: bool) -> Rule:
    """The rule of a norm over the last dimension.

    Args:
        centred: LayerNorm; otherwise RMSNorm.
        offset: It scales by `1 + weight`.
    """

    def rule(layer: Any, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
        width = out.shape[-1]
        how: dict[str, Any] = {
            "scale": getattr(layer, "weight", None) is not None,
            "offset": offset,
            "value_bytes": out.element_size(),
        }
        rows = out.numel() // width
        if not centred:
            return {"": nonlinear.rms_norm(rows, width, **how)}
        shift = getattr(layer, "bias", None) is not None
        return {"": nonlinear.layer_norm(rows, width, shift=shift, **how)}

    return rule


def rotary_angles(
    layer: nn.Module, name: str, args: Any, out: Any, conventions: Conventions
) -> Rows:
    """The rule of a table of angles in which each stands twice, for both channels of its pair."""
    cos: Tensor = out[0]
    channels = cos.shape[-1]
    return {
        "": nonlinear.rotary_angles(
            cos.numel() // channels, channels, value_bytes=cos.element_size()
        )
    }


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


@tally_call.register
def _(layer: nn.GELU, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    formula = nonlinear.gelu_tanh if layer.approximate == "tanh" else nonlinear.gelu_erf
    return {"": formula(out.numel(), value_bytes=out.element_size())}


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
def _(layer: nn.RMSNorm, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    width = prod(layer.normalized_shape)
    scale = layer.weight is not None
    return {
        "": nonlinear.rms_norm(
            out.numel() // width, width, scale=scale, value_bytes=out.element_size()
        )
    }


@tally_call.register
def _(layer: ScaledSoftmax, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    queries, keys = out.shape[-2:]
    return {
        "": nonlinear.softmax(
            out.shape[:-2].numel(),
            queries,
            keys,
            attention=conventions.attention if layer.causal else Attention.FULL,
            value_bytes=out.element_size(),
            capped=len(args) > 3 and args[3] is not None,
        )
    }


@tally_call.register
def _(layer: Multiply, name: str, args: Any, out: Tensor, conventions: Conventions) -> Rows:
    return {"": nonlinear.multiply(out.numel(), value_bytes=out.element_size())}


@tally_call.register
def _(
    layer: Rotary, name: str, args: Any, out: tuple[Tensor, Tensor], conventions: Conventions
) -> Rows:
    query, key, cos = args[:3]
    channels = min(cos.shape[-1], query.shape[-1])
    vectors = sum(x.numel() // x.shape[-1] for x in (query, key))
    width = query.element_size()
    return {"": nonlinear.rotary(vectors * channels, cos.numel(), value_bytes=width)}
