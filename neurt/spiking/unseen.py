"""What nobody looks at is not made: events as their sum, where no hook would see them.

Events (T, ..., C) of a code whose receiver sums them up are written and read only so that they can
be counted. Where nothing is attached to those who send and receive them, and no gradient is wanted,
a coder gives their sum as a single step (1, ..., C), in the same kernel as what is done to its
input. Sums of events are exact (`pow2.PowerOfTwo.total` says why), so the values are the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from transformers.activations import NewGELUActivation

from neurt.spiking.fused import Call, leaky, leaky_by_head, region, run


def unseen(*modules: nn.Module) -> bool:
    """Whether nobody sees what these layers are given and give, and no gradient is wanted."""
    if torch.is_grad_enabled() or torch._C._is_tracing() or torch.compiler.is_compiling():
        return False
    if torch_module._has_any_global_hook():
        return False
    return not any(each._forward_hooks or each._forward_pre_hooks for each in modules)


def summed(events: Tensor) -> Tensor:
    """The sum over all time steps of events (T, ...); of a single step that step itself."""
    return events[0] if len(events) == 1 else events.sum(0)


class Asked(NamedTuple):
    """What a coder is asked for by those who see nothing of single events."""

    #: What is done besides to make the values to be coded: given the input and `operands`.
    before: Callable[..., Tensor] | None = None
    operands: tuple[Tensor, ...] = ()
    #: Give the sum of the events, as a single step.
    summed: bool = True
    #: What one event is worth, per channel: give events that have that size.
    worth: Tensor | None = None
    #: Shape in which thresholds and worths meet the values, where channels are not one dimension.
    arranged: tuple[int, ...] | None = None


# What comes before a code, in operations that torch rounds the same way in a kernel and outside.


def gated(activated: Tensor, up: Tensor) -> Tensor:
    """The hidden values of a feed-forward block with a gate."""
    return activated * up


def gelu_inside(x: Tensor) -> Tensor:
    """What GPT-2's GELU takes the hyperbolic tangent of, as `NewGELUActivation` says it."""
    return math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))


def gelu_outside(x: Tensor, tanh: Tensor) -> Tensor:
    """GPT-2's GELU of x, given that tangent."""
    return 0.5 * x * (1.0 + tanh)


def row_shares(mixed: Tensor, total: Tensor) -> Tensor:
    """Mixed values (X, H, S, D) by the sum of each row's weights (X, H, S), as (X, S, H, D)."""
    shares: Tensor = (mixed / total.masked_fill(total == 0, 1).unsqueeze(-1)).transpose(-2, -3)
    return shares


def token_shares(mixed: Tensor, attended: Tensor) -> Tensor:
    """Mixed spikes (B, T, H, S, D) by the tokens that a query sees, as (T, B, S, H, D)."""
    return (mixed / attended).permute(1, 0, 3, 2, 4)


#: Activations around a transcendental function: what it is given, itself, what is made of it.
AROUND: dict[type[nn.Module], tuple[Any, Callable[[Tensor], Tensor], Any]] = {
    NewGELUActivation: (gelu_inside, torch.tanh_, gelu_outside)
}


def spikes_by_head(
    currents: Sequence[Tensor], threshold: Tensor, tau: float
) -> Sequence[Tensor] | None:
    """Spikes (B, T, H, S, D) of leaky neurons from currents (T, B, H, S, D) of some heads each.

    In one kernel; None where there is none.
    """
    parts = threshold.split([x.shape[2] * x.shape[4] for x in currents])
    arranged = [part.view(x.shape[2], 1, -1) for part, x in zip(parts, currents, strict=True)]
    made: Sequence[Tensor] | None = run(Call(leaky_by_head, (list(currents), arranged, tau)))
    return made


def summed_spikes(x: Tensor, threshold: Tensor, tau: float, asked: Asked) -> Tensor | None:
    """The sum of the spikes of leaky neurons as a single step, in one kernel.

    None where there is none.
    """
    worth = asked.worth
    if asked.arranged is not None:
        threshold = threshold.view(asked.arranged)
        worth = None if worth is None else worth.view(asked.arranged)
    args = ((x, *asked.operands), (threshold, tau), worth)
    made: Tensor | None = run(Call(region(leaky, asked.before, summed=True), args))
    return made
