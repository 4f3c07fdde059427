"""In which order the nodes of a graph run in a time step, and which edges wait for the next one.

NIR is continuous in time, so a loop of it has no order. In steps of time one edge of each loop must
carry the value of the step before. As in snnTorch and nirtorch that is an edge which leaves a
neuron: its spikes arrive one step later, and the layer behind it sees zeros in the first step. A
loop through a Delay of at least one step needs nothing of the kind. A loop without either has no
solution in steps, and is refused.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush

from hwmodels.plain import printable, shortened
from neurt.nir.graph import STATEFUL, Graph, NIRError, Node, of_kind

Edge = tuple[str, str]


@dataclass(frozen=True)
class Order:
    """A schedule of one time step."""

    nodes: tuple[str, ...]  #: in the order in which they run
    late: frozenset[Edge]  #: edges that carry what was sent in the step before


def order_of(graph: Graph, holding: Collection[str]) -> Order:
    """The order of a graph without graphs inside.

    Args:
        graph: The graph.
        holding: Delays of at least one step: what they send does not depend on what they are given
            in the same step.

    Raises:
        NIRError: If a loop holds neither a neuron nor such a delay.
    """
    waits = [edge for edge in graph.edges if edge[1] not in holding]
    after: dict[str, list[str]] = defaultdict(list)
    for a, b in waits:
        after[a].append(b)
    loops = _loops(graph, after)
    depth = _depths(graph, after)
    late: set[Edge] = set()
    for sender in graph.nodes:
        if _stateful(graph, sender):
            late |= _late(graph, after, loops, depth, sender)
    sorter: TopologicalSorter[str] = TopologicalSorter({name: set() for name in graph.nodes})
    for a, b in waits:
        if (a, b) not in late:
            sorter.add(b, a)
    try:
        sorter.prepare()
    except CycleError as bad:
        names = [shortened(printable(name), 20) for name in reversed(bad.args[1])]
        shown = " -> ".join(names if len(names) <= 6 else [*names[:5], "...", names[-1]])
        raise NIRError(
            f"the loop {shown} holds neither a neuron nor a Delay of at least one time step, so "
            "its values have no order in time; put a Delay into it"
        ) from bad
    return Order(tuple(_sorted(sorter, _depths(graph, after, every=True))), frozenset(late))


def _sorted(sorter: TopologicalSorter[str], depth: Mapping[str, int]) -> Iterator[str]:
    """The nodes in order; of those that could be next, the nearest to an input."""
    ready = [(depth[name], name) for name in sorter.get_ready()]
    heapify(ready)
    while ready:
        _, name = heappop(ready)
        yield name
        sorter.done(name)
        for following in sorter.get_ready():
            heappush(ready, (depth[following], following))


def _stateful(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    return isinstance(node, Node) and node.kind in STATEFUL


def _loops(graph: Graph, after: Mapping[str, list[str]]) -> dict[str, int]:
    """The number of the group of nodes of which each reaches each other one (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    group: dict[str, int] = {}
    path: list[str] = []
    for root in graph.nodes:
        if root in index:
            continue
        work = [(root, iter(after.get(root, ())))]
        index[root] = low[root] = len(index)
        path.append(root)
        while work:
            name, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    at = path.index(name)
                    group |= dict.fromkeys(path[at:], index[name])
                    del path[at:]
            elif following not in index:
                index[following] = low[following] = len(index)
                path.append(following)
                work.append((following, iter(after.get(following, ()))))
            elif following not in group:
                low[name] = min(low[name], index[following])
    return group


def _depths(graph: Graph, after: Mapping[str, list[str]], *, every: bool = False) -> dict[str, int]:
    """Neurons (or nodes) on the shortest way from an input to each node, itself too."""
    depth = dict.fromkeys(of_kind(graph, "Input"), 0)
    queue = deque(depth)
    while queue:
        name = queue.popleft()
        for following in after.get(name, ()):
            found = depth[name] + (every or _stateful(graph, following))
            if found < depth.get(following, found + 1):
                depth[following] = found
                queue.append(following)
    return defaultdict(int, depth)


def _late(
    graph: Graph,
    after: Mapping[str, list[str]],
    loops: Mapping[str, int],
    depth: Mapping[str, int],
    sender: str,
) -> set[Edge]:
    """Edges behind a neuron that lead back: to neurons which are no further from the inputs.

    The edge at the neuron itself waits where all that it leads to lies back; else the first one
    behind it of which that is so.
    """
    beneath: dict[str, set[str]] = defaultdict(set)  # layers behind it, and what they come from
    back: set[str] = set()
    on: set[str] = set()
    queue, seen = [sender], {sender}
    while queue:
        name = queue.pop()
        for following in after.get(name, ()):
            if loops[following] != loops[sender]:
                on.add(name)
            elif _stateful(graph, following):
                (back if depth[following] <= depth[sender] else on).add(name)
            else:
                beneath[following].add(name)
                if following not in seen:
                    seen.add(following)
                    queue.append(following)
    for found in (back, on):
        queue = list(found)
        while queue:
            for name in beneath[queue.pop()] - found:
                found.add(name)
                queue.append(name)
    late: set[Edge] = set()
    queue, seen = [sender], {sender}
    while queue:
        name = queue.pop()
        for following in after.get(name, ()):
            if loops[following] != loops[sender]:
                continue
            if _stateful(graph, following):
                leads_back = depth[following] <= depth[sender]
                leads_on = not leads_back
            else:
                leads_back, leads_on = following in back, following in on
            if leads_back and not leads_on:
                late.add((name, following))
            elif leads_back and following not in seen:
                seen.add(following)
                queue.append(following)
    return late
