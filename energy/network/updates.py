"""What a call of neurons costs."""

from __future__ import annotations

from functools import lru_cache
from math import prod

from torch import Tensor, nn

from energy import formulas
from energy.counts import Levels, Tally
from energy.formulas import network, nonlinear
from energy.formulas.dynamics import Dynamics
from energy.network.kind import NeuronKind
from hwmodels import Op


def spiking(
    module: nn.Module, kind: NeuronKind, levels: Levels, events: int, sent: Tensor, given: Tensor
) -> Tally:
    """Neurons that send spikes."""
    own = (x.numel() for x in module._parameters.values() if x is not None and x.dim() < 2)
    channels = sum(n for n in own if n > 1)
    vector = prod(sent.shape[2 if kind.is_multi_step(module) else 1 :])
    numbers = sent.numel(), given.numel(), channels, vector
    silent = _silent(kind.step(module), kind.encodes, levels, *numbers)
    if not events:
        return silent
    return silent._replace(ops={**silent.ops, Op.SPIKE: events}, spikes=events)


@lru_cache(maxsize=4096)
def _silent(
    step: Dynamics,
    encodes: bool,
    levels: Levels,
    updates: int,
    inputs: int,
    channels: int,
    vector: int,
) -> Tally:
    """Neurons that sent no spike; in each time step it is the same."""
    tally = formulas.neurons(
        updates,
        0,
        channels,
        inputs=inputs,
        levels=levels,
        vector=vector,
        arithmetic=step.ops(updates),
    )
    moved = dict.fromkeys((Op.STATE_READ, Op.STATE_WRITE), updates * step.states)
    if encodes:
        moved[Op.NEURON_UPDATE] = 0
    return tally._replace(ops={op: n for op, n in {**tally.ops, **moved}.items() if n})


@lru_cache(maxsize=4096)
def analog(updates: int, inputs: int, dynamics: Dynamics) -> Tally:
    """Neurons without a threshold, which are read out."""
    states = dict.fromkeys((Op.STATE_READ, Op.STATE_WRITE), updates * dynamics.states)
    ops = {Op.NEURON_UPDATE: updates, **dynamics.ops(updates), **states}
    return network.passing(ops, inputs, updates)


#: What an analog network does in place of neurons that spike.
relu = lru_cache(maxsize=4096)(nonlinear.relu)
