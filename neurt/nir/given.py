"""NIR graphs as Python holds them: what `nir.read`, or the export of a library, returned."""

from __future__ import annotations

from typing import Any

from hwmodels.plain import quoted
from neurt.nir.graph import Graph, NIRError, Node, check_edges, named, node_of

#: Graphs that may stand inside one another.
MAX_DEPTH = 32


def is_nir(value: object) -> bool:
    """Whether something is a graph of the package `nir`, which is not imported for it."""
    kind = type(value)
    return any(
        base.__name__ == "NIRGraph" and base.__module__.partition(".")[0] == "nir"
        for base in kind.__mro__
    )


def graph_of(given: Any) -> Graph:
    """The graph that an object of the package `nir` describes; it is left as it was.

    Args:
        given: A `nir.NIRGraph`. Parameters may be tensors of torch, as some exporters leave them.

    Raises:
        NIRError: If it is none, or one of its nodes or edges is none that can be read.
    """
    if not is_nir(given):
        raise NIRError(f"{quoted(given)} is no NIRGraph of the package nir")
    graph = _graph(given, "", 0)
    check_edges(graph)
    return graph


def _graph(given: Any, where: str, depth: int) -> Graph:
    if depth > MAX_DEPTH:
        raise NIRError(f"graphs are nested deeper than {MAX_DEPTH} levels")
    nodes: dict[str, Node | Graph] = {}
    for name, node in given.nodes.items():
        called = f"{where}{name}"
        if is_nir(node):
            nodes[str(name)] = _graph(node, f"{called}.", depth + 1)
            continue
        if node is None:
            raise NIRError(
                f"node '{named(called)}' is None: the library that exported the graph has no "
                "primitive for that layer; leave the layer out, or replace it"
            )
        kind = type(node).__name__
        fields = {field: _plain(value) for field, value in vars(node).items()}
        if kind in ("Input", "Output"):
            types = node.input_type if kind == "Input" else node.output_type
            shapes = [shape for shape in (types or {}).values() if shape is not None]
            fields = {"shape": shapes[0] if shapes else None}
        elif kind == "Flatten":
            fields["input_type"] = next(iter((node.input_type or {}).values()), None)
        nodes[str(name)] = node_of(kind, called, fields)
    return Graph(nodes, tuple((str(a), str(b)) for a, b in given.edges))


def _plain(value: Any) -> Any:
    """A tensor of torch as an array; anything else as it is."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value
