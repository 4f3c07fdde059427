"""Which class of neurons needs the least arithmetic for the parameters of a node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurt.nir import neurons, readouts
from neurt.nir.conventions import Array, Convention, check_times, coefficients, synapse
from neurt.nir.graph import Node

#: Relative difference of constants that exporters have rounded to single precision.
_CLOSE = 1e-5


#: By the type of the node: classes for an input that is added to the membrane whole, for
#: an R of 1, and for any.
_PLAIN = (neurons.IF, neurons.ScaledIF, neurons.ScaledIF)
_LEAKY = (neurons.Leaky, neurons.LIF, neurons.ScaledLIF)
_CURRENT = (neurons.Synaptic, neurons.Current, neurons.CubaLIF)
_KINDS: Mapping[str, tuple[type[neurons.Membrane], ...]] = {
    "IF": _PLAIN,
    "LIF": _LEAKY,
    "CubaLIF": _CURRENT,
    "I": (readouts.I, readouts.ScaledI, readouts.ScaledI),
    "LI": (readouts.AnalogLeaky, readouts.LI, readouts.ScaledLI),
    "CubaLI": (readouts.AnalogSynaptic, readouts.AnalogCurrent, readouts.CubaLI),
}


def neuron_of(node: Node, name: str, convention: Convention) -> neurons.Membrane:
    """The cheapest module for the neurons of a node.

    Raises:
        NIRError: If a time constant is shorter than a time step.
    """
    check_times(node, name, convention.dt_s)
    at = next(
        (
            at
            for at, factor in enumerate((coefficients(node, convention.dt_s)[1], node.array("r")))
            if _is_one(factor)
        ),
        2,
    )
    if "tau_syn" in node.fields and not _is_one(synapse(node, convention.dt_s)[1]):
        at = 2
    return _KINDS[node.kind][at](node, convention)


def _is_one(factor: Array) -> bool:
    return np.allclose(factor, 1, rtol=_CLOSE, atol=0)
