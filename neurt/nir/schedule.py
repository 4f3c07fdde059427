"""One time step of a graph: what each node is given, and the shapes of what it sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hwmodels.plain import printable, shortened
from neurt.nir.graph import Graph, NIRError, Node, named, of_kind
from neurt.nir.layers import Delay, Sum, forget
from neurt.nir.neurons import Membrane
from neurt.nir.order import order_of
from neurt.nir.shapes import check_fits, sample_shape, without_batch

Sent = Mapping[str, Tensor]


class Schedule:
    """The nodes of a graph in the order of a time step.

    Args:
        graph: The graph, without graphs inside.
        layers: The module of each node.

    Attributes:
        inputs: The shape of a sample, by Input node.
        shapes: The shape of what each node sends, of one sample.
        sources: What each node takes, and whether from the time step before.
        sums: Modules that add, by node; neurons add what they are given themselves.

    Raises:
        NIRError: If a loop has no order, or shapes do not fit.
    """

    def __init__(self, graph: Graph, layers: Mapping[str, nn.Module]) -> None:
        self._layers = layers
        self._nodes = {name: node for name, node in graph.nodes.items() if isinstance(node, Node)}
        #: Delays of a step or more: what they send does not depend on what they are given now.
        self._holding = [
            name for name, it in layers.items() if isinstance(it, Delay) and it.least >= 1
        ]
        order = order_of(graph, set(self._holding))
        self._order = order.nodes
        self.sources: dict[str, list[tuple[str, bool]]] = {name: [] for name in graph.nodes}
        for edge in graph.edges:
            self.sources[edge[1]].append((edge[0], edge in order.late))
        for name, node in self._nodes.items():
            if node.kind != "Input" and not self.sources[name]:
                raise NIRError(
                    f"node '{named(name)}' ({node.kind}) is given nothing; add an edge to it, "
                    "or an Input node before it"
                )
        self.inputs = {
            name: sample_shape(self._nodes, name, [b for a, b in graph.edges if a == name])
            for name in of_kind(graph, "Input")
        }
        self.sums = {
            name: Sum()
            for name, given in self.sources.items()
            if len(given) > 1 and not isinstance(layers[name], Membrane)
        }
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._find_shapes()
        for name in of_kind(graph, "Output"):
            self._check_output(name)

    def step(self, x: Sent, before: Sent) -> dict[str, Tensor]:
        """What each node sends in one step.

        Args:
            x: The input of the step (B, ...), by Input node.
            before: What this returned in the step before; nothing in the first step.
        """
        now: dict[str, Tensor] = {}
        batch = next(iter(x.values()))
        for name in self._order:
            layer = self._layers[name]
            if name in x:
                now[name] = layer(x[name])
            elif name in self._holding:
                assert isinstance(layer, Delay)
                now[name] = layer.take(self._silence(name, batch))
            else:
                now[name] = self._run(name, batch, now, before)
        for name in self._holding:  # after all others: the line may be a part of a loop
            self._run(name, batch, now, before)
        return now

    def _silence(self, name: str, batch: Tensor) -> Tensor:
        return batch.new_zeros(len(batch), *self.shapes[name])

    def _run(self, name: str, batch: Tensor, now: Sent, before: Sent) -> Tensor:
        """What a node makes of what it is given."""
        parts = []
        for source, late in self.sources[name]:
            if not late:
                parts.append(now[source])
            else:
                parts.append(before[source] if source in before else self._silence(source, batch))
        layer = self._layers[name]
        if len(parts) > 1 and not isinstance(layer, Membrane):
            parts = [self.sums[name](*parts)]
        found: Tensor = layer(*parts)
        return found

    def _find_shapes(self) -> None:
        """Try nodes, where tensors have sizes and no memory, until the shapes of all are known.

        What only a loop feeds is known later than what it leads back to.
        """
        known = self.shapes
        while True:
            before = dict(known)
            for name in self._order:
                given = (
                    [self.inputs[name]]
                    if name in self.inputs
                    else [known[source] for source, _ in self.sources[name] if source in known]
                )
                if len(set(given)) > 1:
                    shapes = ", ".join(map(str, sorted(set(given))))
                    raise NIRError(
                        f"node '{named(name)}' is given the shapes {shapes}, which cannot be added"
                    )
                if given:
                    known[name] = self._sent(name, given[0])
            if known == before:
                break
        unknown = [name for name in self._nodes if name not in known]
        if unknown:
            raise NIRError(
                f"node '{named(unknown[0])}' ({self._nodes[unknown[0]].kind}) is not behind "
                "any Input node; connect it, or take it out"
            )

    def _sent(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what a node sends if it is given this one."""
        node, layer = self._nodes[name], self._layers[name]
        check_fits(node, name, layer, shape)
        try:
            sent = functional_call(
                layer, dict(_meta(layer)), (torch.empty(1, *shape, device="meta"),)
            )
        except (RuntimeError, ValueError, IndexError) as bad:
            fault = shortened(printable(str(bad).partition("\n")[0]))
            raise NIRError(
                f"node '{named(name)}' ({node.kind}) cannot take the shape {shape}: {fault}"
            ) from bad
        finally:
            forget(layer)
        return tuple(sent.shape[1:])

    def _check_output(self, name: str) -> None:
        declared = self._nodes[name].fields["shape"]
        if declared is None:
            return
        said = tuple(int(x) for x in declared.reshape(-1))
        if without_batch(said) != without_batch(self.shapes[name]):
            raise NIRError(
                f"the Output node '{named(name)}' says that it has the shape {said}, and is "
                f"given {self.shapes[name]}"
            )


def _meta(layer: nn.Module) -> Iterator[tuple[str, Any]]:
    for tensors in (layer.named_parameters(), layer.named_buffers()):
        for name, tensor in tensors:
            yield name, tensor.to("meta")
