"""Layers with weights, which are those of torch, and the fields of nodes as they take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwmodels.plain import quoted
from neurt.nir.graph import NIRError, Node, named


def linear_of(node: Node, name: str) -> nn.Module:
    """The layer of an Affine or a Linear node; raises NIRError if its parameters do not fit."""
    weight = tensor_of(node, "weight")
    bias = tensor_of(node, "bias") if node.kind == "Affine" else None
    if weight.dim() != 2:
        raise wrong(
            node, name, f"a weight of the shape {tuple(weight.shape)}; it must be (outputs, inputs)"
        )
    if bias is not None and bias.shape not in (weight.shape[:1], ()):
        raise wrong(node, name, f"{tuple(bias.shape)} biases for {weight.shape[0]} outputs")
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    return _given(layer, weight, bias)


def convolution_of(node: Node, name: str) -> nn.Module:
    """The layer of a Conv1d or Conv2d node; raises NIRError if its parameters do not fit."""
    dims = int(node.kind[-2])
    weight, bias = tensor_of(node, "weight"), tensor_of(node, "bias")
    groups = whole_of(node, name, "groups", 1)[0]
    if weight.dim() != dims + 2:
        raise wrong(
            node,
            name,
            f"a weight of the shape {tuple(weight.shape)}; it must have "
            f"{dims + 2} dimensions: outputs, inputs / groups, and the window",
        )
    if bias.shape not in (weight.shape[:1], ()):
        raise wrong(node, name, f"{tuple(bias.shape)} biases for {weight.shape[0]} outputs")
    if groups < 1 or weight.shape[0] % groups:
        raise wrong(node, name, f"{groups} groups for {weight.shape[0]} outputs")
    padding: Any = node.fields["padding"]
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise wrong(node, name, f"the padding {quoted(padding)}; it is same, valid or numbers")
    else:
        padding = whole_of(node, name, "padding", dims)
        if min(padding) < 0:
            raise wrong(node, name, f"a padding of {padding}")
    stride, dilation = (whole_of(node, name, x, dims) for x in ("stride", "dilation"))
    if min(stride + dilation) < 1 or (padding == "same" and max(stride) > 1):
        raise wrong(
            node,
            name,
            f"the stride {stride} and the dilation {dilation}; both are at "
            "least 1, and padding 'same' needs a stride of 1",
        )
    kind = nn.Conv1d if dims == 1 else nn.Conv2d
    with torch.device("meta"):
        layer = kind(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),  # type: ignore[arg-type]
            stride,  # type: ignore[arg-type]
            padding,
            dilation,  # type: ignore[arg-type]
            groups,
            bias=bool(bias.count_nonzero()),  # exporters write zeros for a layer without one
        )
    return _given(layer, weight, bias if bias.count_nonzero() else None)


def _given(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """The layer with its parameters, which are not trained."""
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        whole = bias.expand(weight.shape[0]).clone()
        layer.bias = nn.Parameter(whole, requires_grad=False)
    return layer


def tensor_of(node: Node, name: str) -> Tensor:
    """A field as a tensor of the default type."""
    return torch.as_tensor(node.fields[name]).to(torch.get_default_dtype()).contiguous()


def whole_of(node: Node, name: str, field: str, number: int) -> tuple[int, ...]:
    """So many whole numbers; one stands for all of them."""
    values = np.asarray(node.fields[field])
    if (
        values.dtype.kind not in "biuf"
        or values.size not in (1, number)
        or (np.any(values != np.rint(values)))
    ):
        raise wrong(
            node,
            name,
            f"{field} = {quoted(node.fields[field])}; it must be "
            f"{number} whole number{'s' * (number > 1)}",
        )
    found = tuple(int(x) for x in values.reshape(-1))
    return found if len(found) == number else found * number


def pair_of(node: Node, name: str, field: str) -> tuple[int, int]:
    """Two whole numbers; one stands for both."""
    first, second = whole_of(node, name, field, 2)
    return first, second


def wrong(node: Node, name: str, what: str) -> NIRError:
    """The error of a node that has what makes no sense."""
    return NIRError(f"node '{named(name)}' ({node.kind}) has {what}")
