"""A graph of the Neuromorphic Intermediate Representation (NIR), as plain data.

The primitives and their equations are those of Pedersen et al., "Neuromorphic intermediate
representation: A unified instruction set for interoperable brain-inspired computing", Nature
Communications 15:8122 (2024), and of the package `nir` 1.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hwmodels.errors import UserError, did_you_mean
from hwmodels.plain import printable, quoted, shortened


def named(name: str) -> str:
    """How an error shows the name of a node, which may be any text."""
    return shortened(printable(name), 60)


class NIRError(UserError, ValueError):
    """A NIR graph that cannot be read or executed, or an input that does not fit it."""


class Primitive(NamedTuple):
    """The fields of a node of the graph."""

    needed: tuple[str, ...]
    #: what may be missing, and what it is then; None for what each use decides
    optional: Mapping[str, Any] = {}


_FIRING = {"v_reset": 0.0}
_CONVOLUTION = ("weight", "bias", "stride", "padding", "dilation", "groups")

#: What a graph is made of, by the type of the node. `r` is the resistance R, times in seconds.
PRIMITIVES: Mapping[str, Primitive] = {
    "Input": Primitive(("shape",)),
    "Output": Primitive((), {"shape": None}),
    "Affine": Primitive(("weight", "bias")),
    "Linear": Primitive(("weight",)),
    "Scale": Primitive(("scale",)),
    "Threshold": Primitive(("threshold",)),
    "Delay": Primitive(("delay",)),
    "Flatten": Primitive((), {"start_dim": 1, "end_dim": -1, "input_type": None}),
    "Conv1d": Primitive(_CONVOLUTION, {"input_shape": None}),
    "Conv2d": Primitive(_CONVOLUTION, {"input_shape": None}),
    "SumPool2d": Primitive(("kernel_size", "stride", "padding")),
    "AvgPool2d": Primitive(("kernel_size", "stride", "padding")),
    "I": Primitive(("r",)),
    "IF": Primitive(("r", "v_threshold"), _FIRING),
    "LI": Primitive(("tau", "r", "v_leak")),
    "LIF": Primitive(("tau", "r", "v_leak", "v_threshold"), _FIRING),
    "CubaLI": Primitive(("tau_syn", "tau_mem", "r", "v_leak"), {"w_in": 1.0}),
    "CubaLIF": Primitive(
        ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"), _FIRING | {"w_in": 1.0}
    ),
}
#: Those that keep a value from one time step to the next.
STATEFUL = frozenset({"I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"})

#: Fields that are no numbers of the equation; the others must be finite numbers.
_WORDS = {"padding"}
#: What a node says of itself beside its fields.
_BESIDE = {"type", "metadata", "input_type", "output_type"}


@dataclass(frozen=True)
class Node:
    """A primitive and its fields, each an array of numbers, a word, or None."""

    kind: str
    fields: Mapping[str, Any]

    def array(self, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A field as an array of double precision."""
        return np.asarray(self.fields[name], dtype=np.float64)


@dataclass(frozen=True)
class Graph:
    """Nodes by name, and the edges between them, by name too."""

    nodes: Mapping[str, Node | Graph]
    edges: tuple[tuple[str, str], ...]


def node_of(kind: object, name: str, given: Mapping[str, Any]) -> Node:
    """A node, after its fields have been looked at.

    Args:
        kind: The type that it says it has.
        name: Its name, for error messages.
        given: Its fields, and what else it says.

    Raises:
        NIRError: If there is no such primitive, a field is missing or unknown, or one is not made
            of finite numbers.
    """
    primitive = PRIMITIVES.get(kind) if isinstance(kind, str) else None
    if primitive is None or not isinstance(kind, str):
        near = did_you_mean(kind, PRIMITIVES) if isinstance(kind, str) else ""
        raise NIRError(
            f"node '{named(name)}' is of type {quoted(kind, 30)}, for which there is no rule; "
            f"there are rules for {', '.join(PRIMITIVES)}{near}"
        )
    missing = [field for field in primitive.needed if given.get(field) is None]
    if missing:
        raise NIRError(
            f"node '{named(name)}' ({kind}) lacks {', '.join(missing)}; write the graph again"
        )
    known = {*primitive.needed, *primitive.optional}
    unknown = sorted(set(given) - known - _BESIDE)
    if unknown:
        raise NIRError(
            f"node '{named(name)}' ({kind}) has the field {quoted(unknown[0], 30)}, which this "
            f"version does not know; known are {', '.join(sorted(known))}"
        )
    fields = dict(primitive.optional) | {
        field: _checked(given[field], f"{field} of node '{named(name)}' ({kind})", field)
        for field in known & set(given)
        if given[field] is not None
    }
    return Node(kind, fields)


def _checked(value: Any, called: str, field: str) -> Any:
    """A field as an array of finite numbers, or the word it is."""
    if field in _WORDS and isinstance(value, (str, bytes)):
        return value if isinstance(value, str) else value.decode("utf-8", "replace")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as bad:  # ragged lists, tensors that are not here
        raise NIRError(f"{called} is no array of numbers ({quoted(value)})") from bad
    if array.dtype.kind not in "biuf":
        raise NIRError(f"{called} is no array of numbers (it holds {array.dtype})")
    if not np.isfinite(array).all():
        raise NIRError(f"{called} holds a value that is not finite; write the graph again")
    return array


def check_edges(graph: Graph, inside: str = "") -> None:
    """Make sure that edges end at nodes, and no two are the same.

    Args:
        graph: The graph; those inside it are looked at too.
        inside: The node that is this graph, for error messages.

    Raises:
        NIRError: If they do not, or the graph has no Input or no Output.
    """
    where = f" of '{named(inside)}'" if inside else ""
    for edge in graph.edges:
        for end in edge:
            if end not in graph.nodes:
                raise NIRError(
                    f"an edge{where} goes from {quoted(edge[0], 40)} to {quoted(edge[1], 40)}, and "
                    f"there is no node {quoted(end, 40)}" + did_you_mean(end, graph.nodes)
                )
    seen: set[tuple[str, str]] = set()
    for edge in graph.edges:
        if edge in seen:
            raise NIRError(
                f"the edge{where} from {quoted(edge[0], 40)} to {quoted(edge[1], 40)} is there "
                "twice; say it once, or double a weight"
            )
        seen.add(edge)
    for kind in ("Input", "Output"):
        if not any(_is(node, kind) for node in graph.nodes.values()):
            raise NIRError(f"the graph{where} has no {kind} node; give it one")
    for name, node in graph.nodes.items():
        if isinstance(node, Graph):
            check_edges(node, f"{inside}.{name}" if inside else name)


def of_kind(graph: Graph, kind: str) -> Iterator[str]:
    """The names of the nodes of a type, those of graphs inside left out."""
    return (name for name, node in graph.nodes.items() if _is(node, kind))


def _is(node: Node | Graph, kind: str) -> bool:
    return isinstance(node, Node) and node.kind == kind
