"""How a checkpoint is quantised: bits per entry of a matrix, and which matrices.

An entry costs its own bits and its share of the scales and zero points that are read with it, which
belong to blocks of a matrix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from energy.counts import LayerCount
from hwmodels.plain import quoted
from neurt.families.config import Config
from neurt.loading.source import ModelError

#: Bits of an entry of a matrix with so many inputs and outputs.
Scheme = Callable[[float, float], float]


@dataclass(frozen=True)
class Quantised:
    """How a checkpoint is quantised."""

    #: the scheme of the matrix of a layer, by its row; None where it is not quantised
    scheme: Callable[[LayerCount], Scheme | None]
    activations: float | None = None  #: bits of what its products read; None for its number format
    kv: float | None = None  #: bits of its cache; None likewise


def scaled(
    bits: float, extra: float, rows: float | None = None, columns: float | None = None
) -> Scheme:
    """A scheme with so many further bits for each block of a matrix.

    A block is `rows` outputs by `columns` inputs; None is all of them.
    """

    def of(inputs: float, outputs: float) -> float:
        blocks = ceil(outputs / (rows or outputs)) * ceil(inputs / (columns or inputs))
        return bits + blocks * extra / (inputs * outputs)

    return of


def all_but_head(
    scheme: Scheme, kept: Sequence[str], *, activations: float | None = None
) -> Quantised:
    """All matrices but those that are named, and the head."""

    def of(row: LayerCount) -> Scheme | None:
        return None if row.label.component == "lm_head" or is_named(row, kept) else scheme

    return Quantised(of, activations)


def is_named(row: LayerCount, names: Sequence[str]) -> bool:
    """Whether a layer is named: by part of its path, by its class, or by `re:` and a pattern."""

    def fits(name: str) -> bool:
        if name.startswith("re:"):
            return _pattern(name[3:]).match(row.name) is not None
        kind = "Conv1D" if name == "Linear" and row.kind == "Conv1D" else name
        return kind == row.kind or f".{name}." in f".{row.name}."

    return any(map(fits, names))


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ModelError(
            f"'quantization_config' names layers by {quoted(text)}, which is no pattern: {error}"
        ) from error


def bits_of(asked: Config, *keys: str) -> int:
    """Bits under the first of the keys that is there; raises ShapeError unless they are 1 to 16."""
    return asked.size(_first(asked, keys), largest=16)


def group_of(asked: Config, *keys: str) -> int | None:
    """Inputs that share a scale, 128 where nothing is said; None for all of a row."""
    key = _first(asked, keys)
    return None if asked.content.get(key) == -1 else asked.size(key, 128)


def block_of(asked: Config, key: str) -> tuple[int, int]:
    """Outputs and inputs of a block; raises ShapeError if it is none."""
    value = asked.content.get(key)
    if not isinstance(value, list) or [type(x) for x in value] != [int, int] or min(value) < 1:
        raise asked.wrong(key, value, "must be two integers >= 1, as [128, 128]")
    return value[0], value[1]


def names_of(asked: Config, key: str) -> list[str]:
    """Names of layers, in a list or in lists in it; raises ShapeError if it is anything else."""
    value = asked.content.get(key) or []
    if isinstance(value, list) and all(isinstance(x, list) for x in value):
        value = [name for names in value for name in names]
    if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
        raise asked.wrong(key, value, "must be a list of names")
    return value


def object_of(asked: Config, key: str) -> Config | None:
    """An object, None where it is absent or null; raises ShapeError if it is anything else."""
    value = asked.content.get(key)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise asked.wrong(key, value, "must be an object or null")
    return Config(value, asked.name)


def _first(asked: Config, keys: Sequence[str]) -> str:
    return next((key for key in keys if asked.content.get(key) is not None), keys[0])
