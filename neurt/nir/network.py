"""A NIR graph as a module that runs all its time steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hwmodels.plain import printable, quoted, several
from neurt.loading.memory import free_bytes
from neurt.nir.conventions import Convention, as_nir, convention_of
from neurt.nir.exporter import Exporter
from neurt.nir.file import read_nir
from neurt.nir.flat import flatten
from neurt.nir.given import graph_of
from neurt.nir.graph import Graph, NIRError, Node, named, of_kind
from neurt.nir.layers import Delay, forget, layer_of
from neurt.nir.schedule import Schedule


class NIRNetwork(nn.Module):
    """A network that does what a NIR graph says, one time step after the other.

    Its modules have the names of the nodes; those of graphs inside are called `graph.node`.

    Args:
        graph: The graph, from `read_nir` or `graph_of`.
        exporter: Whose conventions it follows beside those of NIR.
        dt_s: One time step, in seconds; None for that of the exporter.

    Attributes:
        inputs: The shape of a sample in one time step, by Input node.
        outputs: Likewise, by Output node.

    Raises:
        NIRError: If the graph cannot be executed: a node or an edge that makes no sense, shapes
            that do not fit, a loop without a neuron or a delay, or a time constant shorter than a
            time step.

    Shape:
        x (T, B, ...) -> (T, B, ...), of T time steps and a batch of B; of several Input (Output)
        nodes, a dictionary by their names.
    """

    def __init__(
        self,
        graph: Graph,
        exporter: Exporter | str = Exporter.NIR,
        dt_s: float | None = None,
    ) -> None:
        super().__init__()
        #: Is told how many time steps are done, and of how many.
        self.progress: Callable[[int, int], None] = lambda *_: None
        self.convention: Convention = convention_of(exporter, dt_s)
        graph = as_nir(flatten(graph), self.convention)
        self._layers: dict[str, nn.Module] = {}
        for name, node in graph.nodes.items():
            assert isinstance(node, Node)
            self._layers[name] = layer_of(node, name, self.convention)
            _place(self, name, self._layers[name])
        self._schedule = Schedule(graph, self._layers)
        for name, adder in self._schedule.sums.items():
            _place(self, f"{name}_sum", adder)
        self.inputs = self._schedule.inputs
        self.outputs = {name: self._schedule.shapes[name] for name in of_kind(graph, "Output")}

    @property
    def late(self) -> dict[str, list[str]]:
        """What each node takes from the time step before, where it does."""
        sources = self._schedule.sources
        found = {
            printable(name): [printable(a) for a, late in given if late]
            for name, given in sources.items()
        }
        return {name: given for name, given in found.items() if given}

    @property
    def values(self) -> int:
        """The values of one sample that are held at once: what all nodes send, and delays keep."""
        shapes = self._schedule.shapes
        kept = (
            prod(shapes[name]) * layer.most
            for name, layer in self._layers.items()
            if isinstance(layer, Delay)
        )
        return sum(map(prod, shapes.values())) + sum(kept)

    def reset(self) -> None:
        """Forget the state of all nodes."""
        for layer in self._layers.values():
            forget(layer)

    def forward(self, *x: Tensor | Mapping[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """Run all time steps, from a state of rest, which it leaves behind too.

        Args:
            *x: The input of all steps (T, B, ...), one for each Input node in the order of
                `inputs`, or a mapping from their names.

        Raises:
            NIRError: If it does not fit the Input nodes.
        """
        given = self._given(x)
        steps = len(next(iter(given.values())))
        sent: list[dict[str, Tensor]] = []
        self.reset()
        try:
            before: dict[str, Tensor] = {}
            for step in range(steps):
                now = {name: values[step] for name, values in given.items()}
                before = self._schedule.step(now, before)
                self.progress(step + 1, steps)
                sent.append({name: before[name] for name in self.outputs})
        finally:
            self.reset()
        outputs = {name: torch.stack([step[name] for step in sent]) for name in self.outputs}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def _given(self, x: Sequence[Tensor | Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        if len(x) == 1 and isinstance(x[0], Mapping):
            given: dict[str, Any] = dict(x[0])
        else:
            names = [*self.inputs, *(f"number {at + 1}" for at in range(len(self.inputs), len(x)))]
            given = dict(zip(names, x, strict=False))
        if set(given) != set(self.inputs):
            raise NIRError(
                f"the network has {several(len(self.inputs), 'input')} "
                f"({', '.join(map(named, self.inputs))}), and is given {', '.join(given) or 'none'}"
            )
        for name, values in given.items():
            if not isinstance(values, Tensor):
                raise NIRError(f"input '{named(name)}' is {quoted(values)}, and must be a tensor")
        lengths = {values.shape[:2] for values in given.values()}
        for name, values in given.items():
            if tuple(values.shape[2:]) != self.inputs[name] or not values.numel():
                expected = ", ".join(map(str, self.inputs[name]))
                raise NIRError(
                    f"input '{named(name)}' is of the shape {tuple(values.shape)}; it must be "
                    f"(time steps, samples, {expected})"
                )
            if not values.is_floating_point():
                given[name] = values.to(torch.get_default_dtype())
        if len(lengths) > 1:
            raise NIRError(f"inputs differ in their time steps or samples: {sorted(lengths)}")
        return given


def nir_network(
    given: Any, *, exporter: Exporter | str = Exporter.NIR, dt_s: float | None = None
) -> NIRNetwork:
    """The network that a NIR graph or file describes, ready to run.

    Args:
        given: A `nir.NIRGraph`, or the path of a `.nir` file.
        exporter: Whose conventions it follows where NIR says nothing, or something else: `nir`,
            `snntorch`, `spikingjelly` or `norse`.
        dt_s: One time step, in seconds; None for that of the exporter.

    Raises:
        NIRError: If it cannot be read, or not be executed; the sentence names the node.
    """
    read = isinstance(given, (str, PathLike))
    graph = read_nir(Path(given), free_bytes()) if read else graph_of(given)
    return NIRNetwork(graph, exporter, dt_s)


def _place(network: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a module where its name says; a part that is an attribute of modules gets a `_`."""
    *above, last = printable(name).split(".")
    parent = network
    for part in above:
        part = _free(parent, part)
        if part not in parent._modules:
            parent.add_module(part, nn.Module())
        parent = parent.get_submodule(part)
    last = _free(parent, last)
    if last in parent._modules:
        raise NIRError(f"two nodes are called '{named(name)}' as names of modules; rename one")
    parent.add_module(last, layer)


def _free(parent: nn.Module, part: str) -> str:
    taken = part not in parent._modules and hasattr(parent, part)
    return f"{part}_" if taken or not part else part
