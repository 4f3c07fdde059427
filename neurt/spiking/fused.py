"""Codes and neurons as one kernel each: the same events in one pass over memory.

Step by step, each of the T time steps reads and writes a handful of tensors, and that is all of
what a spiking forward pass costs beyond its products. `torch.compile` makes one loop of it; nothing
here is written for a particular processor. The kernels are compiled at their first call (seconds,
kept by torch in its cache), and give the events of `Coder.encode` and `integrate` bit for bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.exc import InductorError

#: Rump, Ogita and Oishi 2008, algorithm 3.5: the unit in the first place of FP32, by two products.
_PHI, _BELOW_ONE = 2.0**23 + 1, 1 - 2.0**-24
#: Above it, the first product could overflow; what is larger is scaled first.
_LARGE, _SHRINK = 2.0**100, 2.0**-30
_SMALLEST = 2.0**-126  #: what is smaller has no digit of its own

Kernel = Callable[..., Tensor]


class NotFusedWarning(UserWarning):
    """Codes run step by step, since torch could make no kernel of them here."""


def power_below(x: Tensor) -> Tensor:
    """The power of two at or below |x| with the sign of x, as `pow2.power_below_`, in arithmetic.

    A kernel of products and differences is vectorised where one that looks at bits is not.
    """
    size = x.abs()
    large = size > _LARGE
    scaled = torch.where(large, x * _SHRINK, x) * _PHI
    power = scaled - scaled * _BELOW_ONE
    power = torch.where(large, power / _SHRINK, power)
    return torch.where(size >= _SMALLEST, power, 0.0)


def signed_if(x: Tensor, threshold: Tensor, timesteps: int) -> Tensor:
    """The events of `codes.SignedIF`."""
    half, v, events = threshold / 2, torch.zeros_like(x), []
    for _ in range(timesteps):
        v = v + x
        event = (v >= half).to(x.dtype) - (v <= -half).to(x.dtype)
        v = v - event * threshold
        events.append(event)
    return torch.stack(events)


def power_of_two(x: Tensor, zone: Tensor, timesteps: int, resolution: float) -> Tensor:
    """The events of `pow2.PowerOfTwo`, given the zones that hold for x."""
    rest, events = x, []
    for step in range(timesteps):
        fires = rest.abs() >= zone
        event = torch.where(fires, power_below(rest * (4 / 3)), 0.0)
        rest = rest - event
        if step == 0 and resolution < 1:  # of what is silent now, nothing is left
            rest, zone = torch.where(fires, rest, 0.0), resolution * zone
        events.append(event)
    return torch.stack(events)


def burst(x: Tensor, threshold: Tensor, timesteps: int, most: float) -> Tensor:
    """The events of `codes.Burst`."""
    units = x / threshold
    v, events = torch.zeros_like(units), []
    for _ in range(timesteps):
        v = v + units
        event = v.round().clamp(-most, most)
        v = v - event
        events.append(event)
    return torch.stack(events)


def multi_threshold(x: Tensor, threshold: Tensor, timesteps: int, largest: float) -> Tensor:
    """The events of `codes.MultiThreshold`."""
    units = x / threshold
    v, events = torch.zeros_like(units), []
    for _ in range(timesteps):
        v = v + units
        size = power_below(v.abs() + 0.5).clamp(max=largest)
        event = torch.where(size >= 1, size, 0.0).copysign(v)
        v = v - event
        events.append(event)
    return torch.stack(events)


def leaky(currents: Tensor, threshold: Tensor, tau: float) -> Tensor:
    """The spikes of `surrogate.integrate`."""
    v, spikes = torch.zeros_like(currents[0]), []
    for current in currents.unbind(0):
        v = v + (current - v) / tau
        spike = (v >= threshold).to(v.dtype)
        v = v - spike * threshold
        spikes.append(spike)
    return torch.stack(spikes)


@cache
def _compiled(kernel: Kernel) -> Kernel:
    return torch.compile(kernel, dynamic=True, fullgraph=True)


def run(kernel: Kernel, *args: Any) -> Tensor | None:
    """What a kernel makes of its arguments; None where torch can compile none of it.

    Warns (NotFusedWarning), once, if it cannot: without a compiler for C++ on a CPU, without
    Triton on an accelerator.
    """
    if kernel in _REFUSED:
        return None
    try:
        return _compiled(kernel)(*args)
    except (TorchDynamoException, InductorError) as error:
        _REFUSED.add(kernel)
        reason = str(error).strip().splitlines()
        warnings.warn(
            f"{kernel.__name__} runs step by step, since torch cannot compile it here "
            f"({reason[0] if reason else type(error).__name__}); install a C++ compiler, or leave "
            "out --compile",
            NotFusedWarning,
            stacklevel=2,
        )
        return None


#: Kernels that could not be compiled.
_REFUSED: set[Kernel] = set()
