"""Spikes that can be trained: a step forwards, the slope of an arctangent backwards."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def atan_slope(x: Tensor, alpha: float) -> Tensor:
    """Slope of atan(pi/2 alpha x) / pi.

    Fang et al., "Incorporating learnable membrane time constant", ICCV 2021, appendix.
    """
    return (x * (math.pi / 2 * alpha)).square_().add_(1).reciprocal_().mul_(alpha / 2)


class _ATanSpike(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, alpha: float) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, ctx.alpha = inputs
        ctx.save_for_backward(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * atan_slope(x, ctx.alpha), None


def spike(x: Tensor, alpha: float = 2.0) -> Tensor:
    """1 where x = potential - threshold >= 0, else 0; gradient: that of atan(pi/2 alpha x) / pi."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return (x >= 0).to(x.dtype)
    spikes: Tensor = _ATanSpike.apply(x, alpha)  # type: ignore[no-untyped-call]
    return spikes


def integrate(
    currents: Tensor, threshold: Tensor, tau: float, potentials: Tensor | None = None
) -> Tensor:
    """Spikes (T, ..., C) of `neuron.lif_step` from a potential of zero, in place: twice as fast.

    Args:
        currents: (T, ..., C).
        threshold: (C,).
        potentials: Receives the potential of each step before its reset, (T, ..., C).
    """
    v, spikes = torch.zeros_like(currents[0]), currents.new_empty(currents.shape)
    for step, (current, s) in enumerate(zip(currents, spikes, strict=True)):
        v.add_((current - v).div_(tau))
        if potentials is not None:
            potentials[step] = v
        torch.ge(v, threshold, out=s)  # as 0 and 1: eight times faster than by booleans
        v.addcmul_(s, threshold, value=-1)
    return spikes


class _LIFOverTime(torch.autograd.Function):
    """All time steps at once: a tenth of the tensors that a graph of single steps would hold."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, threshold: Tensor, tau: float, alpha: float) -> Tensor:
        potentials = currents.new_empty(currents.shape)
        spikes = integrate(currents, threshold, tau, potentials)
        ctx.save_for_backward(potentials, spikes, threshold)
        ctx.tau, ctx.alpha = tau, alpha
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        potentials, spikes, threshold = ctx.saved_tensors
        to_threshold, channels = torch.zeros_like(threshold), len(threshold)
        later = torch.zeros_like(grad[0])  # gradient of the potential after the reset
        to_current = torch.empty_like(potentials)
        for v, s, arrived, out in reversed(
            [*zip(potentials, spikes, grad, to_current, strict=True)]
        ):
            fires = atan_slope(v / threshold - 1, ctx.alpha).mul_(arrived).div_(threshold)
            to_threshold -= torch.addcmul(fires, s, later).view(-1, channels).sum(0)
            later += fires
            torch.div(later, ctx.tau, out=out)
            later -= out
        return to_current, to_threshold, None, None


def lif_over_time(currents: Tensor, threshold: Tensor, tau: float, alpha: float) -> Tensor:
    """Spikes (T, ..., C) of currents (T, ..., C), with the surrogate in units of the threshold.

    Each channel has its own scale: a surrogate of the same width in all of them would be a step for
    a channel of large currents, and no step at all for one of small currents.
    """
    if not torch.is_grad_enabled():
        return integrate(currents, threshold, tau)
    spikes: Tensor = _LIFOverTime.apply(currents, threshold, tau, alpha)  # type: ignore[no-untyped-call]
    return spikes
