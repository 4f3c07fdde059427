"""Codes and neurons as one kernel each: the same events in one pass over memory.

Step by step, each of the T time steps reads and writes a handful of tensors, and that is all of
what a spiking forward pass costs beyond its products. `torch.compile` makes one loop of it; nothing
here is written for a particular processor. The kernels are compiled at their first call (seconds,
kept by torch in its cache), and give the events of `Coder.encode` and `integrate` bit for bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

#: Rump, Ogita and Oishi 2008, algorithm 3.5: the unit in the first place of FP32, by two products.
_PHI, _BELOW_ONE = 2.0**23 + 1, 1 - 2.0**-24
#: Above it, the first product could overflow; what is larger is scaled first.
_LARGE, _SHRINK = 2.0**100, 2.0**-30
_SMALLEST = 2.0**-126  #: what is smaller has no digit of its own

Kernel = Callable[..., Tensor]


class Call(NamedTuple):
    """A kernel, and what it is given."""

    kernel: Kernel
    args: tuple[Any, ...]


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


@contextmanager
def _unwatched() -> Iterator[None]:
    """Without modes that audit and count: torch compiles nothing below one, nor in its pauses.

    A code has no product that they could see, and its events are counted from what it returns.
    """
    with _disable_current_modes():
        paused = torch._C._dispatch_tls_local_exclude_set()
        for key in (torch._C.DispatchKey.Python, torch._C.DispatchKey.PythonTLSSnapshot):
            paused = paused.remove(key)
        included = torch._C._dispatch_tls_local_include_set()
        with torch._C._ForceDispatchKeyGuard(included, paused):
            yield


@torch.no_grad()
def run(call: Call) -> Tensor | None:
    """What a kernel makes of its arguments; None where torch cannot compile it.

    Warns (NotFusedWarning), once, if it cannot: without a compiler for C++ on a CPU, without
    Triton on an accelerator.
    """
    # Half of a second that only those pay who ask for kernels.
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import InductorError

    kernel, args = call
    if kernel in _REFUSED or torch._C._is_tracing():  # as a second witness of counts does
        return None
    try:
        with _unwatched():
            return _compiled(kernel)(*args)
    except (TorchDynamoException, InductorError) as error:
        _REFUSED.add(kernel)
        reason = str(error).strip().splitlines()
        warnings.warn(
            f"{kernel.__name__} runs step by step, since torch cannot compile it here "
            f"({reason[0] if reason else type(error).__name__}); install a C++ compiler, or leave "
            "out --compile-codes",
            NotFusedWarning,
            stacklevel=2,
        )
        return None


#: Kernels that could not be compiled.
_REFUSED: set[Kernel] = set()
