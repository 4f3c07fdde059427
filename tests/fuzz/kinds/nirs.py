"""NIR files as trees and as bytes, and the recordings that their networks are given."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random
from typing import Any

import h5py
import numpy as np

from ..case import Case, Draw, Fault
from ..seeds import Seeds
from ..values import HOSTILE, change_bytes, shown

#: Nodes by name, each a type with its fields; then edges.
Graph = tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]

_RUN = "--hw 45nm --pictures none --out out"
_COMMANDS = (
    *[f"count --model net.nir --timesteps 5 {_RUN}"] * 3,
    f"count --model net.nir --timesteps 5 --exporter snntorch {_RUN}",
    f"count --model net.nir --timesteps 5 --exporter norse --dt 0.1 {_RUN}",
    f"count --model net.nir --input events.npy {_RUN}",
)
_FULL = np.ones((2, 3, 3))
_ODD = (
    *(0, -1, 1.5, 2**31, -(2**40), float("nan"), float("inf"), 1e300, 1e-300, True, "same", "x"),
    *([], [0], [1, 1], [1, 1, 1], [[1, 2], [3, 4]], np.zeros((0, 4)), np.ones((1, 2, 3, 3))),
    *(np.zeros(3, complex), np.ones(18), np.full((2, 3, 3), 1e-3), np.full((2, 3, 3), 1e30)),
)
_TYPES = (
    *("Affine", "Linear", "Scale", "Threshold", "Delay", "Flatten", "Conv1d", "Conv2d", "I", "IF"),
    *("SumPool2d", "AvgPool2d", "LI", "LIF", "CubaLI", "CubaLIF", "Input", "Output", "NIRGraph"),
    *("Identity", "", "\x1b[31m", "x" * 500),
)


def _graph() -> Graph:
    conv = {"weight": np.ones((2, 1, 3, 3)) / 2, "bias": np.zeros(2), "stride": 1, "padding": 0}
    full = {"tau": 1e-3 * _FULL, "r": 10 * _FULL, "v_leak": 0 * _FULL}
    fire = {"v_threshold": _FULL, "v_reset": 0 * _FULL}
    nodes = {
        "input": {"type": "Input", "shape": [1, 5, 5]},
        "conv": {"type": "Conv2d", "dilation": 1, "groups": 1, "input_shape": [5, 5]} | conv,
        "lif": {"type": "LIF"} | full | fire,
        "back": {"type": "Scale", "scale": _FULL / 4},
        "delay": {"type": "Delay", "delay": 2e-4 * _FULL},
        "flat": {"type": "Flatten", "start_dim": 0, "end_dim": -1},
        "fc": {"type": "Affine", "weight": np.ones((4, 18)), "bias": np.ones(4)},
        "output": {"type": "Output", "shape": [4]},
    }
    edges = [("input", "conv"), ("conv", "lif"), ("lif", "back"), ("back", "lif")]
    edges += [("lif", "delay"), ("delay", "flat"), ("flat", "fc"), ("fc", "output")]
    return nodes, edges


def _plain(word: str) -> str:
    """A name that HDF5 takes for one: no way to somewhere else, and no end of a text."""
    word = word.replace("/", "_").replace("\x00", "_")
    return word if word.strip(".") else f"_{word}"


def _file(graph: Graph) -> bytes:
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file["version"] = "1.0.8"
        file["node/type"] = "NIRGraph"
        nodes = file.create_group("node/nodes")
        for name, fields in graph[0].items():
            group = nodes.create_group(_plain(name))
            for field, value in fields.items():
                group[field] = value.replace("\x00", "_") if isinstance(value, str) else value
        pairs = [[_plain(a), _plain(b)] for a, b in graph[1]]
        file.create_dataset("node/edges", data=pairs or np.zeros((0, 2)), dtype=h5py.string_dtype())
    return data.getvalue()


def _recording(values: Any) -> bytes:
    data = io.BytesIO()
    np.save(data, values, allow_pickle=False)
    return data.getvalue()


def _change_field(random: Random, graph: Graph) -> tuple[Graph, str]:
    nodes, edges = {name: dict(fields) for name, fields in graph[0].items()}, graph[1]
    name = random.choice(sorted(nodes))
    field = random.choice(sorted(nodes[name]))
    how = random.choice(("value", "value", "value", "drop", "more", "shape"))
    if how == "drop":
        del nodes[name][field]
    elif how == "more":
        nodes[name][random.choice(("tau", "w_in", "metadata", "x", "v_reset"))] = random.choice(
            _ODD
        )
    elif how == "shape" and isinstance(nodes[name][field], np.ndarray):
        nodes[name][field] = random.choice((nodes[name][field].T, nodes[name][field].ravel()[:7]))
    else:
        nodes[name][field] = random.choice(_TYPES if field == "type" else _ODD)
    return (nodes, edges), f"{name}.{shown(field)}: {how}"


def _change_edges(random: Random, graph: Graph) -> tuple[Graph, str]:
    nodes, edges = dict(graph[0]), list(graph[1])
    names = [*sorted(nodes), "none"]
    how = random.choice(("drop", "double", "more", "more", "node", "rename"))
    at = random.randrange(len(edges)) if edges else 0
    if how == "more" or not edges:
        edges.append((random.choice(names), random.choice(names)))
    elif how == "drop":
        del edges[at]
    elif how == "double":
        edges.append(edges[at])
    elif how == "node":
        nodes.pop(random.choice(sorted(nodes)))
    else:
        old, new = random.choice(sorted(nodes)), random.choice(HOSTILE)
        nodes = {new if name == old else name: fields for name, fields in nodes.items()}
        edges = [(new if a == old else a, new if b == old else b) for a, b in edges]
    return (nodes, edges), f"edges: {how}"


def _without(field: str, *names: str) -> Callable[[Random, Graph], Graph]:
    def spoil(random: Random, graph: Graph) -> Graph:
        name = random.choice(names)
        return graph[0] | {name: {k: v for k, v in graph[0][name].items() if k != field}}, graph[1]

    return spoil


def _with(name: str, field: str, *values: Any) -> Callable[[Random, Graph], Graph]:
    def spoil(random: Random, graph: Graph) -> Graph:
        return graph[0] | {name: graph[0][name] | {field: random.choice(values)}}, graph[1]

    return spoil


def _linked(a: str, b: str) -> Callable[[Random, Graph], Graph]:
    return lambda _, graph: (graph[0], [*graph[1], (a, b)])


_FAULTS: tuple[Fault[Graph], ...] = (
    ("a NIR node without its type", _without("type", "conv", "lif", "fc")),
    ("NIR weights that are missing", _without("weight", "conv", "fc")),
    ("NIR weights that are not finite", _with("fc", "weight", np.full((4, 18), np.nan))),
    ("NIR weights of another shape", _with("fc", "weight", np.ones((4, 17)), np.ones(18))),
    ("a NIR time constant below a time step", _with("lif", "tau", -1e-3 * _FULL, 0 * _FULL)),
    ("a NIR loop without state", _linked("fc", "fc")),
    ("a NIR edge to nowhere", _linked("lif", "none")),
    ("a NIR edge that is there twice", _linked("input", "conv")),
    ("a NIR delay of a part of a step", _with("delay", "delay", 0.15e-4 * _FULL)),
)
_EVENTS: tuple[Fault[Any], ...] = (
    ("events of another shape", lambda random, x: x[..., : random.randrange(5)]),
    ("events that are not finite", lambda _, x: np.where(x > 0, np.inf, x)),
    ("events that are words", lambda _, x: x.astype(str)),
)


def case(draw: Draw, _seeds: Seeds) -> Case:
    """A file, perhaps a recording, and a command that runs the network on it."""
    words = draw.choice(_COMMANDS).split()
    # In the units of Norse its times fit no step, so that nothing is known of it.
    plain, recorded = "norse" not in words, "--input" in words
    graph = draw.spoilt(_graph(), _FAULTS) if plain and not recorded else _graph()
    what = draw.choice(("fields", "fields", "edges", "bytes"))
    graph = draw.changed(graph, _change_field) if what == "fields" else graph
    graph = draw.changed(graph, _change_edges) if what == "edges" else graph
    data = _file(graph)
    data = draw.changed(data, change_bytes) if what == "bytes" else data
    events = (np.indices((6, 1, 5, 5)).sum(0) % 3 == 0).astype(np.float32)
    recording = _recording(events)
    if recorded:
        recording = _recording(draw.spoilt(events, _EVENTS))
        recording = draw.changed(recording, change_bytes) if what == "bytes" else recording
    return draw.case(words, {"net.nir": data, "events.npy": recording}, valid=plain)
