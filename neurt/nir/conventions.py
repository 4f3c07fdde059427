"""What a time step is, and what exporters mean where NIR does not say it.

NIR is continuous in time. All neurons are integrated as the exporters of snnTorch and SpikingJelly
assume (forward Euler): x' = f(x) / tau becomes x + dt / tau f(x), with a dt of 0.1 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurt.nir.exporter import Exporter
from neurt.nir.graph import Graph, NIRError, Node, named

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Convention:
    """How equations become steps.

    Attributes:
        dt_s: One time step, in seconds.
        inclusive: Whether a neuron fires at its threshold too, and not only above.
        subtracts: Whether a spike takes the threshold off the membrane in the step after it,
            instead of setting the membrane to `v_reset` at once.
        norse: Whether times are in units of `dt_s` times a second, and inputs are added whole.
    """

    dt_s: float
    inclusive: bool = False
    subtracts: bool = False
    norse: bool = False


#: What NIR itself says; snnTorch 1.0 with its defaults (`reset_mechanism="subtract"`, delayed);
#: SpikingJelly 2.0; Norse 1.1, which multiplies time constants by its dt when it exports them.
CONVENTIONS = {
    Exporter.NIR: Convention(1e-4),
    Exporter.SNNTORCH: Convention(1e-4, subtracts=True),
    Exporter.SPIKINGJELLY: Convention(1e-4, inclusive=True),
    Exporter.NORSE: Convention(1e-3, norse=True),
}


def convention_of(exporter: Exporter | str = Exporter.NIR, dt_s: float | None = None) -> Convention:
    """The convention of an exporter, with another time step where one is given.

    Raises:
        NIRError: If there is no such exporter, or the step is no positive number of seconds.
    """
    if exporter not in [*Exporter]:
        raise NIRError(f"exporter '{exporter}' is not known; known are {', '.join(Exporter)}")
    found = CONVENTIONS[Exporter(exporter)]
    if dt_s is None:
        return found
    if not 0 < dt_s < float("inf"):
        raise NIRError(f"a time step of {dt_s} s makes no sense; give a positive one, such as 1e-4")
    return replace(found, dt_s=dt_s)


def as_nir(graph: Graph, convention: Convention) -> Graph:
    """A graph without graphs inside, with the parameters that NIR means by them.

    Those of Norse are rewritten.

    Norse exports tau as dt / tau_inv, where NIR has 1 / tau_inv; and it adds inputs to the current
    of a CubaLIF, or the membrane of an IF, in one step and whole, where NIR integrates them.
    """
    if not convention.norse:
        return graph
    with np.errstate(over="ignore"):  # what overflows is refused with its node
        nodes = {
            name: _of_norse(node, convention.dt_s) if isinstance(node, Node) else node
            for name, node in graph.nodes.items()
        }
    return Graph(nodes, graph.edges)


def _of_norse(node: Node, dt_s: float) -> Node:
    fields = dict(node.fields)
    for name in ("tau", "tau_mem", "tau_syn"):
        if name in fields:
            fields[name] = node.array(name) / dt_s
    if node.kind in ("CubaLIF", "CubaLI"):
        fields["w_in"] = node.array("w_in") * fields["tau_syn"] / dt_s
    if node.kind in ("IF", "I"):
        fields["r"] = node.array("r") / dt_s
    return Node(node.kind, fields)


def check_times(node: Node, name: str, dt_s: float) -> None:
    """Make sure that no time constant is shorter than a time step, which would overshoot.

    Raises:
        NIRError: If one is.
    """
    for field in ("tau", "tau_mem", "tau_syn"):
        if field not in node.fields:
            continue
        least = float(node.array(field).min(initial=float("inf")))
        if least < dt_s * (1 - 1e-6):
            raise NIRError(
                f"node '{named(name)}' ({node.kind}) has {field} = {least:.4g} s, shorter than "
                f"the time step of {dt_s:.4g} s; give a shorter --dt, or --exporter norse if Norse "
                "wrote the file"
            )


def coefficients(node: Node, dt_s: float) -> tuple[Array, Array]:
    """The share dt / tau of the membrane (0 without a leak), and the factor of its current."""
    r = node.array("r")
    tau = "tau_mem" if "tau_mem" in node.fields else "tau"
    if tau not in node.fields:
        return np.zeros(()), r * dt_s
    k = dt_s / node.array(tau)
    return k, r * k


def synapse(node: Node, dt_s: float) -> tuple[Array, Array]:
    """The share dt / tau of the current, and what a step multiplies its input by."""
    k = dt_s / node.array("tau_syn")
    return k, node.array("w_in") * k
