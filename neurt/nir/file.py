"""NIR files (HDF5), read without running anything of them and without trusting their sizes.

The package `nir` reads a data set before it looks at its size, and refuses with assertions; so the
file is walked here, and `nir` is what the tests write and compare with.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hwmodels.inputs import check_file
from hwmodels.plain import printable, quoted, shortened
from neurt.nir.given import MAX_DEPTH
from neurt.nir.graph import Graph, NIRError, Node, check_edges, named, node_of
from neurt.nir.trial import gets_through

#: Versions of the format that are read, by what stands before the first dot.
VERSIONS = ("0", "1")

_MAX_NODES = 100_000
_MAX_WORD_BYTES = 4096
_MAX_EDGES = 1_000_000


def read_nir(path: Path, limit_bytes: int | None = None) -> Graph:
    """Read a `.nir` file.

    Args:
        path: The file.
        limit_bytes: The most that its arrays may take in memory; None for no limit.

    Raises:
        NIRError: If the file is missing, truncated, no HDF5 or no NIR, of another version, holds
            what points outside of it, is larger than the limit, or has a node or edge that cannot
            be read; or if the package `h5py` is not installed.
    """
    called = f"NIR file '{path}'"
    size_bytes = check_file(path, called, NIRError, None)
    if find_spec("h5py") is None:
        raise NIRError(
            f"{called} needs the package h5py, which is missing; pip install 'neurt-energy[nir]'"
        )
    if not gets_through(path, limit_bytes, size_bytes):
        raise NIRError(
            f"{called} is damaged so that the library for HDF5 crashes or does not end; copy it "
            "again"
        )
    graph = walk(path, limit_bytes)
    check_edges(graph)
    return graph


def walk(path: Path, limit_bytes: int | None) -> Graph:
    """The graph of a file that can be read; `read_nir` is for any."""
    import h5py

    called = f"NIR file '{path}'"
    if not h5py.is_hdf5(path):
        raise NIRError(f"{called} is no HDF5 file, or its beginning is damaged; write it again")
    try:
        with h5py.File(path, "r") as file:
            return _Reader(called, limit_bytes).whole(file)
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError, MemoryError) as bad:
        # h5py says so of a truncated file, of damaged blocks and of a filter that is not there
        fault = shortened(printable(str(bad).strip("'\"")))
        raise NIRError(f"{called} is cut short or damaged ({fault}); copy it again") from bad


class _Reader:
    """A walk over the groups of one file."""

    def __init__(self, called: str, limit_bytes: int | None) -> None:
        self._called = called
        self._left = limit_bytes
        self._limit = limit_bytes
        self._nodes = 0

    def whole(self, file: Any) -> Graph:
        """The graph of an open file."""
        version = self._word(file, "version") if "version" in file else ""
        if "node" not in file or not version:
            raise NIRError(
                f"{self._called} lacks its version or its graph, so it is an HDF5 file of "
                "something else; write it with nir.write"
            )
        if version.partition(".")[0] not in VERSIONS:
            raise NIRError(
                f"{self._called} is of version {quoted(version)} of the format, and "
                f"{' and '.join(f'{x}.x' for x in VERSIONS)} are read; write it with nir 1"
            )
        root = self._group(file, "node")
        kind = self._word(root, "type") if "type" in root else ""
        if kind != "NIRGraph":
            raise NIRError(f"{self._called} holds a single {quoted(kind)}; wrap it in a NIRGraph")
        return self._graph(root, "", 0)

    def _graph(self, group: Any, where: str, depth: int) -> Graph:
        if depth > MAX_DEPTH:
            raise NIRError(f"{self._called} nests graphs deeper than {MAX_DEPTH} levels")
        nodes: dict[str, Node | Graph] = {}
        inside = self._group(group, "nodes")
        for name in inside:
            self._nodes += 1
            if self._nodes > _MAX_NODES:
                raise NIRError(f"{self._called} has more than {_MAX_NODES:,} nodes")
            node = self._group(inside, name)
            called = f"{where}{name}"
            kind = self._word(node, "type") if "type" in node else ""
            if kind == "NIRGraph":
                nodes[name] = self._graph(node, f"{called}.", depth + 1)
            else:
                fields = {
                    key: self._value(node, key, f"{key} of node '{named(called)}'")
                    for key in node
                    if key not in ("type", "metadata")
                }
                nodes[name] = node_of(kind, called, fields)
        return Graph(nodes, self._edges(group, where))

    def _edges(self, group: Any, where: str) -> tuple[tuple[str, str], ...]:
        edges = self._dataset(group, "edges", f"edges of '{where or 'the graph'}'")
        if not edges.size:
            return ()
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.size > 2 * _MAX_EDGES:
            raise NIRError(
                f"{self._called} has edges of the shape {edges.shape}, and must have "
                f"pairs of names, at most {_MAX_EDGES:,}"
            )
        self._take(edges.size * 64)
        return tuple((_text(a), _text(b)) for a, b in edges[()])

    def _group(self, parent: Any, name: str) -> Any:
        import h5py

        found = self._own(parent, name)
        if not isinstance(found, h5py.Group):
            raise NIRError(f"{self._called} holds no group at '{named(name)}'; write it again")
        return found

    def _dataset(self, parent: Any, name: str, called: str) -> Any:
        import h5py

        found = self._own(parent, name)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise NIRError(f"{self._called} has no values for {called}; write it again")
        if found.external or found.is_virtual:
            raise NIRError(
                f"{self._called} keeps {called} in another file, which is not opened; write it "
                "into one file"
            )
        return found

    def _own(self, parent: Any, name: str) -> Any:
        """What has this name, if it is in this file and not behind a link."""
        import h5py

        link = parent.get(name, getlink=True)
        if link is None:
            raise NIRError(f"{self._called} holds nothing at '{named(name)}'; write it again")
        if not isinstance(link, h5py.HardLink):
            raise NIRError(
                f"{self._called} has a link at '{named(name)}', which is not followed; write "
                "the graph without links"
            )
        return parent[name]

    def _value(self, parent: Any, name: str, called: str) -> Any:
        """A field: an array of numbers, or a word."""
        data = self._dataset(parent, name, called)
        if data.dtype.kind in "OS" and data.shape == ():
            return self._word(parent, name)
        if data.dtype.kind not in "biuf":
            raise NIRError(f"{called} is no array of numbers (it holds {data.dtype})")
        self._take(data.size * data.dtype.itemsize)
        return data[()]

    def _take(self, needed: int) -> None:
        if self._left is None:
            return
        self._left -= needed
        if self._left < 0:
            raise NIRError(
                f"{self._called} says that its arrays take more than the {self._limit:,} bytes of "
                "memory that are free; is it the right file?"
            )

    def _word(self, parent: Any, name: str) -> str:
        data = self._dataset(parent, name, f"'{named(name)}'")
        if data.shape != () or data.dtype.kind not in "OS":
            raise NIRError(f"{self._called} holds no word at '{named(name)}'; write it again")
        if data.dtype.itemsize > _MAX_WORD_BYTES:
            raise NIRError(f"{self._called} holds a word of {data.dtype.itemsize:,} bytes")
        return _text(data[()])


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return value.decode("utf-8")
    elif isinstance(value, str):
        return value
    raise NIRError(f"a NIR file names something {quoted(value)}, which is no UTF-8 text")
