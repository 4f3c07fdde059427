"""The spike function and the gradient that training puts in its place."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class _ATanSpike(torch.autograd.Function):
    """Fang et al., "Incorporating learnable membrane time constant", ICCV 2021, appendix."""

    @staticmethod
    def forward(x: Tensor, alpha: float) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, alpha = inputs
        ctx.alpha = alpha
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        slope = ctx.alpha / 2 / (1 + (math.pi / 2 * ctx.alpha * x).square())
        return grad * slope, None


def spike(x: Tensor, alpha: float = 2.0) -> Tensor:
    """1 where x >= 0, else 0, with the slope of atan(pi/2 alpha x) / pi + 1/2 as gradient.

    Args:
        x: Membrane potential minus threshold, any shape.
        alpha: Sharpness of the surrogate.
    """
    if not (torch.is_grad_enabled() and x.requires_grad):
        return (x >= 0).to(x.dtype)
    spikes: Tensor = _ATanSpike.apply(x, alpha)  # type: ignore[no-untyped-call]
    return spikes
