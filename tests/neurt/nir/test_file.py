"""NIR files, whole and broken: the first are read as `nir` reads them, the others refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurt.nir import trial
from neurt.nir.file import read_nir
from neurt.nir.given import graph_of
from neurt.nir.graph import Graph, NIRError, Node
from neurt.nir.network import NIRNetwork

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")


def small(**more: Any) -> Any:
    """4 inputs, a layer of 3 leaky neurons; other nodes by name."""
    nodes = {
        "input": nir.Input(np.array([4])),
        "fc": nir.Affine(np.arange(12.0).reshape(3, 4), np.ones(3)),
        "lif": nir.LIF(np.full(3, 1e-3), np.ones(3), np.zeros(3), np.full(3, 0.5), np.zeros(3)),
        "output": nir.Output(np.array([3])),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes | more, edges, type_check=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "net.nir"
    nir.write(file, small())
    return file


def same(left: Graph, right: Graph) -> bool:
    return (
        sorted(left.edges) == sorted(right.edges)
        and left.nodes.keys() == right.nodes.keys()
        and all(same_node(node, right.nodes[name]) for name, node in left.nodes.items())
    )


def same_node(left: Node | Graph, right: Node | Graph) -> bool:
    if isinstance(left, Graph) or isinstance(right, Graph):
        return isinstance(left, Graph) and isinstance(right, Graph) and same(left, right)
    return left.kind == right.kind and all(
        np.array_equal(value, right.fields[name])
        for name, value in left.fields.items()
        if value is not None
    )


def every_primitive() -> Any:
    """A node of each type that `nir` writes, and a graph inside."""
    full, one = np.full((2, 4, 4), 2e-3), np.ones((2, 4, 4))
    inner = nir.NIRGraph(
        {
            "in": nir.Input(np.array([3])),
            "w": nir.Linear(np.ones((3, 3))),
            "out": nir.Output(np.array([3])),
        },
        [("in", "w"), ("w", "out")],
        type_check=False,
    )
    nodes = {
        "input": nir.Input(np.array([2, 4, 4])),
        "scale": nir.Scale(one),
        "conv": nir.Conv2d((4, 4), np.ones((2, 2, 3, 3)), 1, "same", 1, 1, np.ones(2)),
        "if": nir.IF(one, one),
        "i": nir.I(one),
        "li": nir.LI(full, one, one),
        "cuba": nir.CubaLIF(full, full, one, one, one),
        "cubali": nir.CubaLI(full, full, one, one),
        "threshold": nir.Threshold(one),
        "delay": nir.Delay(full),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "avg": nir.AvgPool2d(np.array([1, 1]), np.array([1, 1]), np.array([0, 0])),
        "flat": nir.Flatten(np.array([2, 2, 2]), 0, -1),
        "fc": nir.Affine(np.ones((3, 8)), np.zeros(3)),
        "inner": inner,
        "lif": nir.LIF(np.full(3, 1e-3), np.ones(3), np.zeros(3), np.ones(3)),
        "output": nir.Output(np.array([3])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), type_check=False)


def test_a_file_is_the_graph_that_was_written(tmp_path: Path) -> None:
    nir.write(tmp_path / "all.nir", every_primitive())
    read = read_nir(tmp_path / "all.nir")
    assert same(read, graph_of(every_primitive()))
    assert same(read, graph_of(nir.read(tmp_path / "all.nir", type_check=False)))
    # Ten nodes send 2 x 4 x 4 values, two pools and the flattened 8, six 3 (in, w, out of the graph
    # inside too); and a delay of 2 ms keeps 32 values for 20 steps of 0.1 ms.
    assert NIRNetwork(read).values == 10 * 32 + 3 * 8 + 6 * 3 + 20 * 32


def refused(file: Path, *parts: str) -> None:
    with pytest.raises(NIRError) as caught:
        NIRNetwork(read_nir(file))
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in parts:
        assert part in sentence


def test_what_is_no_nir_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.nir", "does not exist")
    refused(tmp_path, "is a directory")
    (tmp_path / "text.nir").write_text("no HDF5", "utf-8")
    refused(tmp_path / "text.nir", "no HDF5 file")
    (tmp_path / "empty.nir").touch()
    refused(tmp_path / "empty.nir", "no HDF5 file")
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["x"] = 1
    refused(tmp_path / "other.nir", "lacks its version or its graph")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "cut short or damaged", "copy it again")


def test_a_damaged_file_is_refused_or_read_and_nothing_else(path: Path) -> None:
    # Some of these let the library for HDF5 crash or hang, in the process where it is tried.
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(15):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            NIRNetwork(read_nir(path, limit_bytes=10_000_000))
        except NIRError as refusal:
            assert "\n" not in str(refusal)  # noqa: PT017


@pytest.mark.parametrize("way", ["os.abort()", "exec('while 1: pass')"])
def test_a_library_that_crashes_or_hangs_is_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # What damage does to libhdf5 depends on its version; here it is done on purpose, in the try.
    monkeypatch.setattr("neurt.nir.trial._SECONDS", 1)
    script = "neurt.nir.trial._SCRIPT"
    monkeypatch.setattr(script, f"{trial._SCRIPT.partition('from pathlib')[0]}import os; {way}")
    refused(path, "is damaged so that the library for HDF5 crashes or does not end")


@pytest.mark.parametrize("version", ["2.0", "10.1", "new"])
def test_another_version_is_refused(path: Path, version: str) -> None:
    with h5py.File(path, "a") as file:
        del file["version"]
        file["version"] = version
    refused(path, f"is of version '{version}'", "0.x and 1.x are read")


Change = Callable[[Any], None]


def retyped(file: Any) -> None:
    del file["node/nodes/lif/type"]
    file["node/nodes/lif/type"] = "Affin"


def rootless(file: Any) -> None:
    del file["node/type"]
    file["node/type"] = "LIF"


def linked(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc/weight"] = h5py.ExternalLink("/etc/hosts", "x")


def elsewhere(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc"].create_dataset(
        "weight", (3, 4), "f8", external=[("other.bin", 0, h5py.h5f.UNLIMITED)]
    )


def wordy(file: Any) -> None:
    del file["node/nodes/fc/weight"]
    file["node/nodes/fc/weight"] = ["a", "b"]


def huge(file: Any) -> None:
    del file["node/nodes/fc/weight"]  # 8 TB that take no place in the file
    file["node/nodes/fc"].create_dataset("weight", (10**6, 10**6), "f8", chunks=(1000, 1000))


def circular(file: Any) -> None:
    file["node/nodes/again"] = file["node"]  # a hard link: a graph inside of itself


def unpaired(file: Any) -> None:
    del file["node/edges"]
    file["node/edges"] = np.zeros((3, 3))


def infinite(file: Any) -> None:
    file["node/nodes/fc/weight"][0, 0] = np.inf


def lacking(file: Any) -> None:
    del file["node/nodes/lif/tau"]


def knowing_more(file: Any) -> None:
    file["node/nodes/lif/tau_refractory"] = 1e-3


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (retyped, ("node 'lif' is of type 'Affin'", "did you mean 'Affine'?")),
        (rootless, ("holds a single 'LIF'", "wrap it in a NIRGraph")),
        (linked, ("a link at 'weight'", "not followed")),
        (elsewhere, ("weight of node 'fc' in another file",)),
        (wordy, ("weight of node 'fc' is no array of numbers",)),
        (huge, ("more than the 1,000,000 bytes of memory that are free",)),
        (circular, ("nests graphs deeper than 32 levels",)),
        (unpaired, ("edges of the shape (3, 3)",)),
        (infinite, ("weight of node 'fc' (Affine) holds a value that is not finite",)),
        (lacking, ("node 'lif' (LIF) lacks tau",)),
        (knowing_more, ("node 'lif' (LIF) has the field 'tau_refractory'",)),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_file_that_cannot_be_meant_is_refused(
    path: Path, change: Change, parts: tuple[str, ...]
) -> None:
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(NIRError) as caught:
        read_nir(path, limit_bytes=1_000_000)
    for part in parts:
        assert part in str(caught.value)


def test_a_reader_without_h5py_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurt.nir.file.find_spec", lambda _: None)
    refused(path, "needs the package h5py", "neurt-energy[nir]")
