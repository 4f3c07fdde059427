"""What a GGUF file says of itself, apart from its weights. No torch here, and no `gguf`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwmodels.errors import UserError
from hwmodels.plain import quoted

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

_CALLED = {str: "texts", int: "integers", float: "numbers"}


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

    @property
    def end(self) -> int:
        """The byte after its last one."""
        return self.start + self.n_bytes


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
            raise self.wrong(key, "one positive integer")
        return value

    def number(self, key: str, default: float) -> float:
        """A metadata value that must be a finite number above 0; raises GGUFError otherwise."""
        value = self.metadata.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "one number")
        if not 0 < value < math.inf:
            raise self.wrong(key, "a finite number above 0")
        return value

    def listed(self, key: str, kind: type) -> list[Any]:
        """A list of values of one type, empty where it is absent; raises GGUFError otherwise."""
        items = self.metadata.get(key, [])
        if not isinstance(items, list) or not all(type(item) is kind for item in items):
            raise self.wrong(key, f"a list of {_CALLED[kind]}")
        return items

    def token_id(self, role: str) -> int | None:
        """The id of a token such as `bos`; None where there is none, GGUFError if it is no id."""
        key = f"tokenizer.ggml.{role}_token_id"
        if (value := self.metadata.get(key)) is None:
            return None
        tokens = len(self.listed("tokenizer.ggml.tokens", str))
        if type(value) is not int or value < 0 or (tokens and value >= tokens):
            raise self.wrong(key, f"the id of one of its {tokens} tokens")
        return value

    def wrong(self, key: str, must_be: str) -> GGUFError:
        """The error that a metadata value is not what it must be."""
        value = quoted(self.metadata.get(key))
        return GGUFError(f"'{key}' of '{self.path}' is {value}; it must be {must_be}")
