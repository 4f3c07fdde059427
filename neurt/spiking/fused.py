"""Codes and neurons as one kernel each: the same events in one pass over memory.

Step by step, each of the T time steps reads and writes a handful of tensors, and that is most of
what a spiking forward pass costs beyond its products. `torch.compile` makes one loop of it; nothing
here is written for a particular processor. The kernels are compiled at their first call (seconds,
kept by torch in its cache), and give the events of `Coder.encode` and `integrate` bit for bit.

A kernel may be more than the code (`region`): what is done to its input before, and the sum of its
events where nobody looks at them one by one. Only what torch rounds the same way everywhere belongs
into it: sums, products, comparisons; an exponential has other last digits in a kernel than outside.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

#: Rump, Ogita and Oishi 2008, algorithm 3.5: the unit in the first place of FP32, by two products.
_PHI, _BELOW_ONE = 2.0**23 + 1, 1 - 2.0**-24
#: Above it, the first product could overflow; what is larger is scaled first.
_LARGE, _SHRINK = 2.0**100, 2.0**-30
_SMALLEST = 2.0**-126  #: what is smaller has no digit of its own

Kernel = Callable[..., Any]
#: The events of each time step, of the values to be coded and of what else the code is given.
Steps = Callable[..., list[Tensor]]


class Call(NamedTuple):
    """A kernel or steps, and what they are given."""

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
    power = torch.where(large, power * (1 / _SHRINK), power)  # a division takes ten times as long
    return torch.where(size >= _SMALLEST, power, 0.0)


def signed_if(x: Tensor, threshold: Tensor, timesteps: int) -> list[Tensor]:
    """The events of `codes.SignedIF`."""
    half, v, events = threshold / 2, torch.zeros_like(x), []
    for _ in range(timesteps):
        v = v + x
        event = (v >= half).to(x.dtype) - (v <= -half).to(x.dtype)
        v = v - event * threshold
        events.append(event)
    return events


def power_of_two(
    x: Tensor, threshold: Tensor, timesteps: int, resolution: float, ceiling: float | None
) -> list[Tensor]:
    """The events of `pow2.PowerOfTwo`."""
    rest, events, zone = x, [], threshold
    if ceiling is not None:
        zone = torch.minimum(threshold, ceiling * x.abs().amax(-1, keepdim=True))
    for step in range(timesteps):
        fires = rest.abs() >= zone
        event = torch.where(fires, power_below(rest * (4 / 3)), 0.0)
        rest = rest - event
        if step == 0 and resolution < 1:  # of what is silent now, nothing is left
            rest, zone = torch.where(fires, rest, 0.0), resolution * zone
        events.append(event)
    return events


def burst(x: Tensor, threshold: Tensor, timesteps: int, most: float) -> list[Tensor]:
    """The events of `codes.Burst`."""
    units = x / threshold
    v, events = torch.zeros_like(units), []
    for _ in range(timesteps):
        v = v + units
        event = v.round().clamp(-most, most)
        v = v - event
        events.append(event)
    return events


def multi_threshold(x: Tensor, threshold: Tensor, timesteps: int, largest: float) -> list[Tensor]:
    """The events of `codes.MultiThreshold`."""
    units = x / threshold
    v, events = torch.zeros_like(units), []
    for _ in range(timesteps):
        v = v + units
        size = power_below(v.abs() + 0.5).clamp(max=largest)
        event = torch.where(size >= 1, size, 0.0).copysign(v)
        v = v - event
        events.append(event)
    return events


def leaky(currents: Tensor, threshold: Tensor, tau: float) -> list[Tensor]:
    """The spikes of `surrogate.integrate`."""
    v, spikes = torch.zeros_like(currents[0]), []
    for current in currents.unbind(0):
        v = v + (current - v) / tau
        spike = (v >= threshold).to(v.dtype)
        v = v - spike * threshold
        spikes.append(spike)
    return spikes


def leaky_by_head(
    currents: list[Tensor], thresholds: list[Tensor], tau: float
) -> tuple[Tensor, ...]:
    """Spikes (B, T, ...) of several currents (T, B, ...), each with its thresholds."""
    return tuple(
        torch.stack(leaky(x, threshold, tau), 1)
        for x, threshold in zip(currents, thresholds, strict=True)
    )


def causal(scores: Tensor, scaling: float) -> Tensor:
    """Scaled scores (..., S, N) of S queries, the last of N tokens; later keys have no chance."""
    queries, keys = scores.shape[-2:]
    key = torch.arange(keys, device=scores.device)
    query = torch.arange(keys - queries, keys, device=scores.device).unsqueeze(-1)
    return torch.where(key <= query, scores * scaling, -math.inf)


@cache
def region(steps: Steps, before: Kernel | None = None, *, summed: bool = False) -> Kernel:
    """A kernel (operands, what the steps are given besides, worth of an event or None) -> events.

    Args:
        steps: The code.
        before: Makes the values that are coded of the operands; None where there is one operand,
            which is coded.
        summed: Give the sum of the events, as a single step; NaN where what is coded is NaN.
    """

    def whole(operands: tuple[Tensor, ...], rest: tuple[Any, ...], worth: Tensor | None) -> Tensor:
        x = operands[0] if before is None else before(*operands)
        events = steps(x, *rest)
        if summed:
            total = events[0]
            for event in events[1:]:
                total = total + event
            # A comparison with NaN is false: let it pass on. In a neuron it is silence.
            events = [total if steps is leaky else total + x * 0]
        return torch.stack(events if worth is None else [event * worth for event in events])

    name = "_".join([steps.__name__, *([before.__name__] if before else []), *["sum"] * summed])
    return own(whole, name, steps)


def own(function: Kernel, name: str, of: Kernel) -> Kernel:
    """A function with code of its own: torch keeps what it compiled by code, and only so many."""
    assert isinstance(function, FunctionType)
    code = function.__code__.replace(co_name=name)
    made: Any = FunctionType(code, function.__globals__, name, None, function.__closure__)
    made.of = of
    return cast(Kernel, made)


def _kind(arg: Any) -> Any:
    """What a kernel is compiled for: whole numbers, and of tensors all but how large they are."""
    if isinstance(arg, Tensor):
        return arg.ndim, arg.dtype, arg.device
    if isinstance(arg, float):
        return float
    return tuple(map(_kind, arg)) if isinstance(arg, tuple | list) else arg


@cache
def _compiled(kernel: Kernel, kind: Any) -> Kernel:
    """Compiled apart for each kind: a sweep over T would have more of them than torch keeps."""
    apart = own(kernel, kernel.__name__, getattr(kernel, "of", kernel))
    return torch.compile(apart, dynamic=True, fullgraph=True)


@contextmanager
def _unwatched() -> Iterator[None]:
    """Without modes that audit and count: torch compiles nothing below one, nor in its pauses.

    A code has no product that they could see, and its events are counted from what it returns.
    """
    excluded = torch._C._dispatch_tls_is_dispatch_key_excluded(torch._C.DispatchKey.Python)
    if not excluded and not torch._C._len_torch_dispatch_stack():
        yield
        return
    with _disable_current_modes():
        paused = torch._C._dispatch_tls_local_exclude_set()
        for key in (torch._C.DispatchKey.Python, torch._C.DispatchKey.PythonTLSSnapshot):
            paused = paused.remove(key)
        included = torch._C._dispatch_tls_local_include_set()
        with torch._C._ForceDispatchKeyGuard(included, paused):
            yield


@torch.no_grad()
def run(call: Call) -> Any:
    """What a kernel makes of its arguments; None where torch cannot compile it.

    Warns (NotFusedWarning), once, if it cannot: without a compiler for C++ on a CPU, without
    Triton on an accelerator.
    """
    # Half of a second that only those pay who ask for kernels.
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException
    from torch._inductor.exc import InductorError

    kernel, args = call
    code = getattr(kernel, "of", kernel)
    if code in _REFUSED or torch._C._is_tracing():  # as a second witness of counts does
        return None
    try:
        with _unwatched():
            return _compiled(kernel, _kind(args))(*args)
    except (FailOnRecompileLimitHit, TorchDynamoException, InductorError) as error:
        _REFUSED.add(code)
        reason = str(error).strip().splitlines()
        warnings.warn(
            f"{code.__name__} runs step by step, since torch cannot compile it here "
            f"({reason[0] if reason else type(error).__name__}); install a C++ compiler, or leave "
            "out --compile-codes",
            NotFusedWarning,
            stacklevel=2,
        )
        return None


#: Kernels that could not be compiled.
_REFUSED: set[Kernel] = set()
