"""Graphs inside a graph become nodes of it, named after the way to them."""

from __future__ import annotations

from hwmodels.plain import quoted
from neurt.nir.graph import Graph, NIRError, Node, of_kind


def flatten(graph: Graph) -> Graph:
    """The same graph without graphs inside; a node `b` of the graph `a` is called `a.b`.

    Raises:
        NIRError: If a graph inside has several inputs or outputs, of which an edge to it does not
            say which one it means, or two nodes get the same name.
    """
    nodes: dict[str, Node | Graph] = {}
    edges: list[tuple[str, str]] = []
    #: Where the edges that end at a graph inside, or begin there, really do.
    entries: dict[str, str] = {}
    exits: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, Node):
            _add(nodes, name, node)
            continue
        inner = flatten(node)
        entries[name] = f"{name}.{_only(inner, 'Input', name)}"
        exits[name] = f"{name}.{_only(inner, 'Output', name)}"
        for below, part in inner.nodes.items():
            assert isinstance(part, Node)
            kind = "Pass" if part.kind in ("Input", "Output") else part.kind
            _add(nodes, f"{name}.{below}", Node(kind, part.fields))
        edges += [(f"{name}.{a}", f"{name}.{b}") for a, b in inner.edges]
    edges += [(exits.get(a, a), entries.get(b, b)) for a, b in graph.edges]
    return Graph(nodes, tuple(edges))


def _add(nodes: dict[str, Node | Graph], name: str, node: Node) -> None:
    if name in nodes:
        raise NIRError(f"two nodes are called {quoted(name)}; rename one of them")
    nodes[name] = node


def _only(graph: Graph, kind: str, name: str) -> str:
    found = list(of_kind(graph, kind))
    if len(found) != 1:
        raise NIRError(
            f"the graph {quoted(name)} inside the graph has {len(found)} {kind} nodes, and an edge "
            "to it does not say which one it means; give it one"
        )
    return found[0]
