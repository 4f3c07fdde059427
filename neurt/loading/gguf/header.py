"""What a GGUF file says of itself: metadata and tensor table. No torch here, and no `gguf`.

The format is that of ggml-org/ggml, docs/gguf.md, versions 2 and 3: magic, version, two counts, the
metadata as typed key-value pairs, one line per tensor, and then the tensors' bytes, which are not
read here.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodels.errors import UserError

#: Quantisations that can be read: number in the file -> name, weights per block, bytes per block.
QUANTISATIONS = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    20: ("IQ4_NL", 32, 18),
    23: ("IQ4_XS", 256, 136),
    30: ("BF16", 1, 2),
}

#: `struct` codes of the scalar types, by their number in the file.
_SCALARS = dict(zip([0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12], "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_LONGEST_ARRAY_DEPTH = 4


class GGUFError(UserError, ValueError):
    """A GGUF file that cannot be read, or whose model cannot be had from it."""


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies in the file."""

    #: as torch has it: rows first (the file has the fastest dimension first)
    shape: tuple[int, ...]
    kind: int  #: its quantisation, a key of `QUANTISATIONS`
    start: int  #: first byte, from the start of the file
    n_bytes: int  #: how many


@dataclass(frozen=True)
class GGUFHeader:
    """All of a GGUF file but its weights."""

    path: Path  #: the file
    metadata: Mapping[str, Any]  #: for example `general.architecture` or `llama.block_count`
    tensors: Mapping[str, TensorInfo]  #: by name

    @property
    def quantisation(self) -> str:
        """The quantisation of most of the weights, for example `Q4_1`."""
        weights: Counter[int] = Counter()
        for tensor in self.tensors.values():
            weights[tensor.kind] += math.prod(tensor.shape)
        return QUANTISATIONS[weights.most_common(1)[0][0]][0]

    def integer(self, key: str, default: int | None = None) -> int:
        """A metadata value that must be a positive integer; raises GGUFError otherwise."""
        value = self.metadata.get(key, default)
        if value is None:
            raise GGUFError(f"'{self.path}' has no '{key}'; it is not the GGUF file of a model")
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise GGUFError(
                f"'{key}' of '{self.path}' is {value!r}; it must be one positive integer"
            )
        return value


def read_header(path: Path) -> GGUFHeader:
    """Read everything but the weights: 0.1 s for a vocabulary of 50,000.

    Raises:
        GGUFError: If the file is missing, no GGUF, truncated, or quantised in a way unknown here.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(path, data).header()
    except OSError as error:
        raise GGUFError(f"model file '{path}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, GGUFError):
            raise
        # An empty file cannot be mapped; a key that is no UTF-8 is a UnicodeDecodeError.
        raise GGUFError(f"model file '{path}' is not a GGUF file: {error}") from error


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
        metadata = {}
        for _ in range(n_keys):
            key = self._text()
            metadata[key] = self._value(self._scalar("I"))
        table = [self._tensor() for _ in range(n_tensors)]
        if not table:
            raise GGUFError(f"model file '{self.path}' holds no tensors; give one with weights")
        alignment = GGUFHeader(self.path, metadata, {}).integer("general.alignment", 32)
        start = -(-self.at // alignment) * alignment
        tensors = {
            name: TensorInfo(shape, kind, start + offset, n_bytes)
            for name, shape, kind, offset, n_bytes in table
        }
        end = max(tensor.start + tensor.n_bytes for tensor in tensors.values())
        if end > self.size:
            raise GGUFError(
                f"model file '{self.path}' is truncated: its {n_tensors} tensors end at byte "
                f"{end}, and it has {self.size}; download it again"
            )
        return GGUFHeader(self.path, metadata, tensors)

    def _take(self, n_bytes: int) -> int:
        """Where the next bytes start."""
        start, self.at = self.at, self.at + n_bytes
        if self.at > self.size:
            raise GGUFError(
                f"model file '{self.path}' is truncated: its header goes beyond its {self.size} "
                "bytes; download it again"
            )
        return start

    def _scalar(self, code: str) -> Any:
        code = "<" + code
        return struct.unpack_from(code, self.data, self._take(struct.calcsize(code)))[0]

    def _text(self) -> str:
        length = self._scalar("Q")
        start = self._take(length)
        return self.data[start : start + length].decode("utf-8")

    def _value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY or depth == _LONGEST_ARRAY_DEPTH:
            raise GGUFError(f"model file '{self.path}' is broken: it has a value of type {kind}")
        item, length = self._scalar("I"), self._scalar("Q")
        if item not in _SCALARS:
            return [self._value(item, depth + 1) for _ in range(length)]
        width = struct.calcsize(_SCALARS[item])
        start = self._take(length * width)
        return list(struct.unpack_from(f"<{length}{_SCALARS[item]}", self.data, start))

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int, int]:
        name, n_dimensions = self._text(), self._scalar("I")
        shape = tuple(self._scalar("Q") for _ in range(n_dimensions))[::-1]
        kind, offset = self._scalar("I"), self._scalar("Q")
        if kind not in QUANTISATIONS:
            known = ", ".join(name for name, _, _ in QUANTISATIONS.values())
            raise GGUFError(
                f"tensor {name!r} of '{self.path}' is of quantisation number {kind}; "
                f"those that can be read are {known}"
            )
        quantisation, block, block_bytes = QUANTISATIONS[kind]
        if not shape or 0 in shape or shape[-1] % block:
            raise GGUFError(
                f"tensor {name!r} of '{self.path}' is broken: rows of a shape {shape} do not "
                f"divide into the blocks of {block} of {quantisation}"
            )
        return name, shape, kind, offset, math.prod(shape) // block * block_bytes
