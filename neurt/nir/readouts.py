"""Neurons of NIR that do not fire: their membrane is what they send."""

from __future__ import annotations

from energy.formulas.dynamics import Dynamics
from energy.network.neurons import neuron
from neurt.nir.neurons import (
    IF,
    LIF,
    CubaLIF,
    Current,
    Leaky,
    ScaledIF,
    ScaledLIF,
    Synaptic,
)


@neuron.register(levels="analog", dynamics="analog LIF", multi_step=False)
class LI(LIF):
    """`LIF` without a threshold: its membrane is what it sends."""

    fires = False


@neuron.register(levels="analog", dynamics="analog leaky", multi_step=False)
class AnalogLeaky(Leaky):
    """`Leaky` without a threshold."""

    fires = False


@neuron.register(levels="analog", dynamics=Dynamics(1, 2, 0), multi_step=False)
class ScaledLI(ScaledLIF):
    """`ScaledLIF` without a threshold."""

    fires = False


@neuron.register(levels="analog", dynamics="analog IF", multi_step=False)
class I(IF):  # noqa: E742 - its name in NIR
    """`IF` without a threshold."""

    fires = False


@neuron.register(levels="analog", dynamics=Dynamics(1, 1, 0), multi_step=False)
class ScaledI(ScaledIF):
    """`ScaledIF` without a threshold."""

    fires = False


@neuron.register(levels="analog", dynamics=Dynamics(2, 2, 0, 2), multi_step=False)
class AnalogSynaptic(Synaptic):
    """`Synaptic` without a threshold."""

    fires = False


@neuron.register(levels="analog", dynamics="analog current", multi_step=False)
class AnalogCurrent(Current):
    """`Current` without a threshold."""

    fires = False


@neuron.register(levels="analog", dynamics=Dynamics(2, 4, 0, 2), multi_step=False)
class CubaLI(CubaLIF):
    """`CubaLIF` without a threshold."""

    fires = False
