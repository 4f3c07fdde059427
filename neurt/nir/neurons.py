"""Neurons of NIR as modules that take a step with each call.

Shapes: x is (B, ...), a batch of what the layer is given in one time step; parameters have the
shape of one sample, or none. Each class is one way to spend additions and multiplications on the
same equation, and declared as what it spends: additions, multiplications, comparisons, and values
that are kept.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from energy.formulas.dynamics import Dynamics
from energy.network.neurons import neuron
from neurt.nir.conventions import Array, Convention, coefficients, synapse
from neurt.nir.graph import Node


class Membrane(nn.Module):
    """What all neurons have: a membrane, and perhaps a threshold.

    Attributes:
        k: dt / tau of the membrane.
        gain: What the input is multiplied by before it is added.
    """

    fires = True
    k: Tensor
    gain: Tensor
    leak: Tensor
    threshold: Tensor
    v_reset: Tensor

    def __init__(self, node: Node, convention: Convention) -> None:
        super().__init__()
        self.inclusive, self.subtracts = convention.inclusive, convention.subtracts
        self.shape = np.broadcast_shapes(*(node.array(field).shape for field in node.fields))
        k, gain = coefficients(node, convention.dt_s)
        self._keep("k", k)
        self._keep("gain", gain)
        self._keep("leak", node.array("v_leak") if "v_leak" in node.fields else np.zeros(()))
        if self.fires:
            self._keep("threshold", node.array("v_threshold"))
            self._keep("v_reset", node.array("v_reset"))
        self.v: Tensor | None = None

    def _keep(self, name: str, value: Array) -> None:
        """A constant; one number where all neurons have the same."""
        same = value.size and np.all(value == value.flat[0])
        value = value.reshape(-1)[0] if same else value
        self.register_buffer(name, torch.as_tensor(value, dtype=torch.get_default_dtype()))

    def extra_repr(self) -> str:
        """Arguments for `repr`."""
        return "x".join(map(str, self.shape)) or "of any shape"

    def reset(self) -> None:
        """Forget the state."""
        self.v = None

    def start(self, x: Tensor) -> Tensor:
        """The membrane before the first step: at rest, or, without a leak, as after a reset."""
        return torch.zeros_like(x) + (self.leak if self.has_leak else self._without_leak())

    @property
    def has_leak(self) -> bool:
        """Whether there is a leak to rest at."""
        return True

    def _without_leak(self) -> Tensor | float:
        return self.v_reset if self.fires else 0.0

    def current(self, x: Tensor) -> Tensor:
        """What is added to the membrane's equation as R I."""
        return x

    def move(self, v: Tensor, current: Tensor) -> Tensor:
        """The membrane after a step, before it fires."""
        raise NotImplementedError

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        """Spikes (0 or 1) of one time step, or the membrane of those that do not fire.

        What arrives from several sources ends in the same accumulators, so its sum costs nothing
        beside the accumulates.
        """
        for other in more:
            x = x + other
        v = self.start(x) if self.v is None else self.v
        moved = self.move(v, self.current(x))
        if not self.fires:
            self.v = moved
            return moved
        if self.subtracts:
            moved = moved - self._fired(v) * self.threshold
        spikes = self._fired(moved)
        self.v = moved if self.subtracts else torch.where(spikes > 0, self.v_reset, moved)
        return spikes

    def _fired(self, v: Tensor) -> Tensor:
        above = v >= self.threshold if self.inclusive else v > self.threshold
        return above.to(v.dtype)


@neuron.register(dynamics="LIF", multi_step=False)
class LIF(Membrane):
    """v + k ((v_leak - v) + I): a leaky neuron whose R is 1."""

    def move(self, v: Tensor, current: Tensor) -> Tensor:
        """See `Membrane.move`."""
        return v + self.k * ((self.leak - v) + current)


@neuron.register(dynamics="leaky", multi_step=False)
class Leaky(Membrane):
    """(1 - k) v + I: a leaky neuron to whose membrane the input is added whole."""

    def move(self, v: Tensor, current: Tensor) -> Tensor:
        """See `Membrane.move`."""
        return (1 - self.k) * v + (self.k * self.leak + current)


@neuron.register(dynamics=Dynamics(2, 2, 1), multi_step=False)
class ScaledLIF(Membrane):
    """(1 - k) v + g I: a leaky neuron of any R."""

    def move(self, v: Tensor, current: Tensor) -> Tensor:
        """See `Membrane.move`."""
        return (1 - self.k) * v + (self.k * self.leak + self.gain * current)


@neuron.register(dynamics="IF", multi_step=False)
class IF(Membrane):
    """v + I: a neuron without a leak."""

    @property
    def has_leak(self) -> bool:
        """See `Membrane.has_leak`."""
        return False

    def move(self, v: Tensor, current: Tensor) -> Tensor:
        """See `Membrane.move`."""
        return v + current


@neuron.register(dynamics=Dynamics(2, 1, 1), multi_step=False)
class ScaledIF(IF):
    """v + g I: a neuron without a leak, of any R."""

    def move(self, v: Tensor, current: Tensor) -> Tensor:
        """See `Membrane.move`."""
        return v + self.gain * current


class _Current(Membrane):
    """A current that decays between the input and the membrane.

    Attributes:
        k_syn: dt / tau of the current.
        w: What the input is multiplied by before it is added to the current.
    """

    k_syn: Tensor
    w: Tensor

    def __init__(self, node: Node, convention: Convention) -> None:
        super().__init__(node, convention)
        k_syn, w = synapse(node, convention.dt_s)
        self._keep("k_syn", k_syn)
        self._keep("w", w)
        self.i: Tensor | None = None

    def reset(self) -> None:
        """See `Membrane.reset`."""
        super().reset()
        self.i = None

    def current(self, x: Tensor) -> Tensor:
        """See `Membrane.current`; here the current takes a step too."""
        i = torch.zeros_like(x) if self.i is None else self.i
        self.i = (1 - self.k_syn) * i + self.arriving(x)
        return self.i

    def arriving(self, x: Tensor) -> Tensor:
        """What the input adds to the current."""
        return x


@neuron.register(dynamics="synaptic", multi_step=False)
class Synaptic(_Current, Leaky):
    """i = (1 - k_syn) i + x, v = (1 - k) v + i."""


@neuron.register(dynamics="current", multi_step=False)
class Current(_Current, LIF):
    """i = (1 - k_syn) i + x, v + k ((v_leak - v) + i)."""


@neuron.register(dynamics=Dynamics(3, 4, 1, 2), multi_step=False)
class CubaLIF(_Current, ScaledLIF):
    """i = (1 - k_syn) i + w x, v = (1 - k) v + g i."""

    def arriving(self, x: Tensor) -> Tensor:
        """See `_Current.arriving`."""
        return self.w * x
