"""Layers of torch that are one operation: counted from what went in and came out.

What runs inside of them is known, so it need not be seen, which is most of what watching costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _global_forward_hooks
from torch.nn.parameter import Parameter

_TORCH, _STEPS = "torch.nn.modules.", "spikingjelly.activation_based.layer."
_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
#: The operation that a `forward` is, by where it was defined.
_FORWARDS = {
    **{f"{_TORCH}conv.{kind}.forward": "convolution" for kind in _CONVOLUTIONS},
    f"{_TORCH}linear.Linear.forward": "linear",
    f"{_TORCH}batchnorm._BatchNorm.forward": "native_batch_norm",
    **{f"{_STEPS}stateless_wrapper.{kind}.forward": "convolution" for kind in _CONVOLUTIONS},
    **{f"{_STEPS}bn.BatchNorm{n}d.forward": "native_batch_norm" for n in (1, 2, 3)},
}


class Whole(NamedTuple):
    """A layer whose `forward` is one operation."""

    operation: str
    weight: Tensor | None
    bias: Tensor | None
    steps: bool  #: whether it has a mode in which it takes all time steps at once

    def is_plain(self, module: nn.Module, args: Sequence[Any], words: Any) -> bool:
        """Whether a call is of nothing but this operation, on tensors that do nothing else."""
        x = args[0] if len(args) == 1 and not words else None
        own = module._parameters
        if (
            type(x) is not Tensor
            or own["weight"] is not self.weight
            or own["bias"] is not self.bias
        ):
            return False
        # Hooks of others may change what came out, and modes of others want to see all.
        hooked = len(module._forward_hooks) > 1 or _global_forward_hooks
        if hooked or torch._C._len_torch_dispatch_stack() > 1:
            return False
        dimensions = x.dim()
        if self.steps and getattr(module, "step_mode", "s") == "m":
            if not x.is_contiguous():
                return False
            dimensions -= 1
        if self.operation == "native_batch_norm":
            return dimensions > 1
        assert self.weight is not None
        same = x.dtype is self.weight.dtype and x.layout is torch.strided
        if self.operation == "linear":
            return same and dimensions > 1
        return same and dimensions == self.weight.dim()

    def operands(self, module: nn.Module, x: Tensor, out: Tensor) -> tuple[tuple[Any, ...], Tensor]:
        """What the operation took and gave, as torch would say it."""
        if self.steps and getattr(module, "step_mode", "s") == "m":
            x, out = x.flatten(0, 1), out.flatten(0, 1)
        if self.operation != "convolution":
            return (x, self.weight, self.bias), out
        own = vars(module)
        shape = own["stride"], own["padding"], own["dilation"], own["transposed"]
        return (x, self.weight, self.bias, *shape, own["output_padding"], own["groups"]), out


def whole(module: nn.Module) -> Whole | None:
    """What is known of a layer; None for one that may be more than an operation.

    Weights that are made anew for each call, as those that are pruned, are seen being made.
    """
    kind, own = type(module), vars(module)
    home = _home(kind.forward)
    operation = _FORWARDS.get(home)
    if operation is None or module._modules or "forward" in own or "_conv_forward" in own:
        return None
    if operation == "convolution":
        inside = _home(getattr(kind, "_conv_forward", None))
        plain = own["padding_mode"] == "zeros" and not isinstance(own["padding"], str)
        if not plain or not inside.startswith(f"{_TORCH}conv."):
            return None
    held = module._parameters
    if not all(type(x) is Parameter or x is None for x in held.values()):
        return None
    weight = held.get("weight")
    if "bias" not in held or "weight" not in held:
        return None
    if weight is None and operation != "native_batch_norm":
        return None
    return Whole(operation, weight, held["bias"], home.startswith(_STEPS))


def _home(function: object) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
