"""Reading the header of a GGUF file: metadata and tensor table. No torch here, and no `gguf`.

The format is that of ggml-org/ggml, docs/gguf.md, versions 2 and 3: magic, version, two counts, the
metadata as typed key-value pairs, one line per tensor, and then the tensors' bytes, which are not
read here.
"""

from __future__ import annotations

import math
import mmap
import struct
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hwmodels.inputs import check_file
from hwmodels.plain import quoted
from neurt.loading.gguf.contents import QUANTISATIONS, GGUFError, GGUFHeader, TensorInfo

__all__ = ["QUANTISATIONS", "GGUFError", "GGUFHeader", "TensorInfo", "read_header"]

#: `struct` codes of the scalar types, by their number in the file.
_SCALARS = dict(zip([0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12], "BbHhIif?Qqd", strict=True))
_BOOL, _STRING, _ARRAY = 7, 8, 9
_LONGEST_ARRAY_DEPTH = 4
#: GGML_MAX_DIMS of ggml.
_MOST_DIMENSIONS = 4
#: What metadata and tensor table may take: four times those of the largest vocabularies.
MAX_HEADER_BYTES = 64 * 2**20
#: Nanoseconds in which a file may change twice with one time stamp: its header is not kept then.
_TICK_NS = 2 * 10**9


def read_header(path: Path) -> GGUFHeader:
    """Read everything but the weights: 0.1 s for a vocabulary of 50,000, and once for each file.

    Raises:
        GGUFError: If the file is missing, no GGUF, broken, or quantised in a way unknown here.
    """
    check_file(path, f"model file '{path}'", GGUFError, None)
    seen = path.stat()
    key = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)
    is_new = abs(time.time_ns() - seen.st_mtime_ns) < _TICK_NS
    return _read(path) if is_new else _kept(path, key)


@lru_cache(maxsize=4)
def _kept(path: Path, _key: tuple[int, ...]) -> GGUFHeader:
    """The header of a file, as long as nobody changes the file."""
    return _read(path)


def _read(path: Path) -> GGUFHeader:
    if not path.stat().st_size:
        raise GGUFError(f"model file '{path}' is empty; download it again")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(path, data).header()
    except OSError as error:
        raise GGUFError(f"model file '{path}' cannot be read: {error.strerror}") from error


class _Reader:
    """A cursor over the bytes of one file."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.size, self.at = path, data, len(data), 0

    def header(self) -> GGUFHeader:
        if self.data[:4] != b"GGUF":
            raise GGUFError(f"model file '{self.path}' is not a GGUF file: it starts otherwise")
        self.at = 4
        version = self._scalar("I")
        if version not in (2, 3):  # a file of the other byte order has its version there
            raise GGUFError(
                f"model file '{self.path}' is of GGUF version {version:#x}; 2 and 3 in "
                "little-endian order can be read"
            )
        n_tensors, n_keys = self._scalar("Q"), self._scalar("Q")
        metadata: dict[str, Any] = {}
        for _ in range(n_keys):
            key = self._text("a key")
            if key in metadata:
                raise self._broken(f"has the key {quoted(key)} twice")
            metadata[key] = self._value(self._scalar("I"), key)
        table: dict[str, TensorInfo] = {}
        for _ in range(n_tensors):
            name, tensor = self._tensor()
            if name in table:
                raise self._broken(f"has the tensor {quoted(name)} twice")
            table[name] = tensor
        if not table and "split.no" not in metadata:
            raise GGUFError(f"model file '{self.path}' holds no tensors; give one with weights")
        header = GGUFHeader(self.path, MappingProxyType(metadata), {})
        alignment = header.integer("general.alignment", 32)
        if alignment % 8:
            raise header.wrong("general.alignment", "a multiple of 8")
        tensors = self._placed(table, alignment)
        return replace(header, tensors=MappingProxyType(tensors))

    def _placed(self, table: Mapping[str, TensorInfo], alignment: int) -> dict[str, TensorInfo]:
        """The tensors from the start of the file: within it, and none in another."""
        first = -(-self.at // alignment) * alignment
        tensors = {name: replace(one, start=first + one.start) for name, one in table.items()}
        in_order = sorted(tensors.items(), key=lambda item: item[1].start)
        for (name, one), (after, other) in pairwise(in_order):
            if one.end > other.start:
                raise self._broken(f"has the tensor {quoted(after)} within {quoted(name)}")
        end = in_order[-1][1].end if in_order else 0
        if end > self.size:
            raise GGUFError(
                f"model file '{self.path}' is truncated: its {len(tensors)} tensors end at byte "
                f"{end}, and it has {self.size}; download it again"
            )
        return tensors

    def _broken(self, fault: str) -> GGUFError:
        return GGUFError(f"model file '{self.path}' is broken: it {fault}; download it again")

    def _take(self, n_bytes: int) -> int:
        """Where the next bytes start."""
        start, self.at = self.at, self.at + n_bytes
        if self.at > self.size:
            raise GGUFError(
                f"model file '{self.path}' is truncated: its header goes beyond its {self.size} "
                "bytes; download it again"
            )
        if self.at > MAX_HEADER_BYTES:
            raise self._broken(f"has a header of more than {MAX_HEADER_BYTES:,} bytes")
        return start

    def _scalar(self, code: str) -> Any:
        code = "<" + code
        return struct.unpack_from(code, self.data, self._take(struct.calcsize(code)))[0]

    def _text(self, of: str) -> str:
        length = self._scalar("Q")
        start = self._take(length)
        try:
            return self.data[start : start + length].decode("utf-8")
        except UnicodeDecodeError as bad:
            raise self._broken(f"has {of} that is no UTF-8 at byte {start + bad.start}") from bad

    def _value(self, kind: int, key: str, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self._items(kind, 1, key)[0]
        if kind == _STRING:
            return self._text(f"a text in {quoted(key)}")
        if kind != _ARRAY or depth == _LONGEST_ARRAY_DEPTH:
            raise self._broken(f"has a value of type {kind} in {quoted(key)}")
        item, length = self._scalar("I"), self._scalar("Q")
        if item not in _SCALARS:
            return [self._value(item, key, depth + 1) for _ in range(length)]
        return self._items(item, length, key)

    def _items(self, kind: int, length: int, key: str) -> list[Any]:
        """So many scalars."""
        code = _SCALARS[kind]
        start = self._take(length * struct.calcsize(code))
        if kind == _BOOL and length and max(self.data[start : start + length]) > 1:
            raise self._broken(f"has a truth value in {quoted(key)} that is neither 0 nor 1")
        return list(struct.unpack_from(f"<{length}{code}", self.data, start))

    def _tensor(self) -> tuple[str, TensorInfo]:
        """The next line of the table; its start counts from the first tensor's."""
        name, n_dimensions = self._text("the name of a tensor"), self._scalar("I")
        called = f"tensor {quoted(name)} of '{self.path}'"
        if not 1 <= n_dimensions <= _MOST_DIMENSIONS:
            raise GGUFError(
                f"{called} is broken: it has {n_dimensions} dimensions, and may have 1 to "
                f"{_MOST_DIMENSIONS}"
            )
        shape = tuple(self._scalar("Q") for _ in range(n_dimensions))[::-1]
        kind, offset = self._scalar("I"), self._scalar("Q")
        if kind not in QUANTISATIONS:
            known = ", ".join(name for name, _, _ in QUANTISATIONS.values())
            raise GGUFError(
                f"{called} is of quantisation number {kind}; those that can be read are {known}"
            )
        quantisation, block, block_bytes = QUANTISATIONS[kind]
        if 0 in shape or shape[-1] % block:
            raise GGUFError(
                f"{called} is broken: rows of a shape {shape} do not divide into the blocks of "
                f"{block} of {quantisation}"
            )
        return name, TensorInfo(shape, kind, offset, math.prod(shape) // block * block_bytes)
