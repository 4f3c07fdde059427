"""How spikes are carried on by the operations of torch: what comes out of each, and where they end.

An operation that is not named here makes analog values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from energy.network.logic import LOGIC
from energy.network.provenance import (
    CONSTANT,
    Analog,
    Constant,
    Origin,
    address,
    number_of,
    spikes_of,
)
from energy.network.spikes import BLANK, Spikes

Look = Callable[[Tensor], Origin]
Carry = Callable[[Sequence[Any], Mapping[str, Any], Look], Spikes | None]

#: Move or repeat the entries of their first operand, or choose among them; some add zeros.
_MOVES = re.compile(
    r"clone|_to_copy|contiguous|index|index_select|_unsafe_index|gather|take|take_along_dim|"
    r"masked_select|flip|roll|rot90|repeat|repeat_interleave|tile|sort|topk|kthvalue|"
    r"(adaptive_)?max_pool[123]d(_with_indices)?|amax|amin|max|min|cummax|median|mode|"
    r"upsample_nearest[123]d|_upsample_nearest_exact[123]d|(reflection|replication)_pad[123]d|"
    r"im2col|pixel_(un)?shuffle|channel_shuffle|native_channel_shuffle|tril|triu|diag_embed|"
    r"lift(_fresh)?|native_dropout|_pack_padded_sequence|_pad_packed_sequence|round|floor|ceil|trunc|.+_copy"
)
_BLANKS = re.compile(r"zeros|zeros_like|new_zeros|empty.*|new_empty.*|zero")
_CONSTANTS = re.compile(
    r"scalar_tensor|ones|ones_like|new_ones|full|full_like|new_full|eye|arange|linspace|fill"
)
#: Look at values, or say something about them; what comes out are none of a synapse.
_LOOKS = re.compile(
    r"(eq|ne|lt|le|gt|ge|is.*|any|all|equal|allclose|arg.*|count_nonzero|nonzero|"
    r"_local_scalar_dense|item|.*like|new_.*|bincount|unique.*|_unique2|histc|size|stride|sign)$"
)


def carried(name: str, args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Origin:
    """What is known of the result of an operation.

    Args:
        name: The operation, without the underscore of one that writes into its first operand.
        args: What it was given.
        words: What it was given by keyword.
        look: Says what is known of a tensor.
    """
    rule = RULES.get(name)
    if rule is not None:
        found = rule(args, words, look)
        if found is not None:
            return found
    elif _MOVES.fullmatch(name):
        first = args[0] if args and isinstance(args[0], Tensor) else None
        origin = None if first is None else look(first)
        if isinstance(origin, (Spikes, Analog)):
            return origin
    elif _BLANKS.fullmatch(name):
        return BLANK
    tensors = list(tensors_of(args))
    if not tensors:
        return CONSTANT if _CONSTANTS.fullmatch(name) else None
    return CONSTANT if all(isinstance(look(x), Constant) for x in tensors) else None


def ends_spikes(name: str, args: Sequence[Any], look: Look) -> bool:
    """Whether an operation whose result is analog took spikes."""
    if _LOOKS.match(name):
        return False
    found = (spikes_of(look(x)) for x in tensors_of(args))
    return any(x is not None and not x.blank for x in found)


def tensors_of(args: Sequence[Any]) -> Sequence[Tensor]:
    """The tensors among arguments, those in lists too."""
    found = []
    for arg in args:
        if isinstance(arg, Tensor):
            found.append(arg)
        elif isinstance(arg, (list, tuple)):
            found += [x for x in arg if isinstance(x, Tensor)]
    return found


def shares(out: Tensor, args: Sequence[Any]) -> bool:
    """Whether a result lies where an operand does, as a view that says it is none."""
    at = address(out)
    return bool(at) and any(address(x) == at for x in tensors_of(args))


def _joined(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    found: Spikes | None = BLANK
    for tensor in args[0]:
        part = spikes_of(look(tensor))
        if part is None or found is None:
            return None
        found = found.union(part)
    return found


def _sum(sign: int, args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    left, right = args[:2]
    if words.get("alpha", 1) != 1 or (len(args) > 2 and args[2] != 1):
        return None
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        a, b = spikes_of(look(left)), spikes_of(look(right))
        if a is not None and b is not None:
            return a.plus(b, sign)
    if isinstance(left, Tensor) and (number := number_of(right, look)) is not None:
        a = spikes_of(look(left))
        return None if a is None else a.shifted(sign * number)
    return None


def _reversed(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """The difference of a number and spikes: 1 - x."""
    found, number = spikes_of(look(args[0])), number_of(args[1], look)
    if found is None or number is None or words.get("alpha", 1) != 1:
        return None
    negative = BLANK.plus(found, -1)
    return None if negative is None else negative.shifted(number)


def _product(
    divide: bool, args: Sequence[Any], words: Mapping[str, Any], look: Look
) -> Spikes | None:
    left, right = args[:2]
    if words.get("rounding_mode") is not None:
        return None
    a, b = (spikes_of(look(x)) if isinstance(x, Tensor) else None for x in (left, right))
    if a is not None and b is not None and not divide:
        return a.times(b)
    if a is not None and (number := number_of(right, look)) is not None:
        return a.scaled(1 / number if divide and number else number)
    if b is not None and not divide and (number := number_of(left, look)) is not None:
        return b.scaled(number)
    return None


def _either(at: int, args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """Entries of two operands, of which one may be zero as a number."""
    found: Spikes | None = BLANK
    for value in (args[at], args[at + 1]):
        part = spikes_of(look(value)) if isinstance(value, Tensor) else None
        if part is None and number_of(value, look) == 0:
            part = BLANK
        if part is None or found is None:
            return None
        found = found.union(part)
    return found


def _chosen(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """Entries of two operands; or, where a spike is, one number, and zero elsewhere."""
    found = _either(1, args, words, look)
    condition = spikes_of(look(args[0]))
    if condition is None or condition.blank or not (found is None or found.blank):
        return found
    numbers = [number_of(x, look) for x in args[1:3]]
    ends = [x for x in numbers if x]
    return Spikes(0, 1, ends[0]) if None not in numbers and 0 in numbers and ends else found


def _filled(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """The first operand, with entries that are another value: zero, or spikes."""
    value = args[2] if len(args) > 2 else words.get("value", 0)
    return _either(0, (args[0], value or 0), words, look) if _plain(value) else None


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, Tensor))


def _written(at: int, args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """The first operand, with entries of another one."""
    return _either(0, (args[0], args[at]), words, look)


def _source(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    return spikes_of(look(args[1]))


def _alone(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """A sum, mean or maximum over dimensions of one entry each."""
    x, over = args[0], args[1] if len(args) > 1 else words.get("dim")
    dimensions = range(x.dim()) if over is None else [over] if isinstance(over, int) else over
    return spikes_of(look(x)) if all(x.shape[at] == 1 for at in dimensions) else None


def _as_large(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """A pooling to the size that its input has."""
    x, size = args[:2]
    return spikes_of(look(x)) if tuple(x.shape[-len(size) :]) == tuple(size) else None


def _constant(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """A tensor that is filled with one number."""
    return BLANK if number_of(args[1], look) == 0 else None


#: What comes out of operations that are more than a move.
RULES: Mapping[str, Carry] = {
    "cat": _joined,
    "stack": _joined,
    "add": partial(_sum, 1),
    "sub": partial(_sum, -1),
    "rsub": _reversed,
    "mul": partial(_product, False),
    "div": partial(_product, True),
    "maximum": partial(_either, 0),
    "minimum": partial(_either, 0),
    "where": _chosen,
    "constant_pad_nd": _filled,
    "masked_fill": _filled,
    "copy": _source,
    "index_put": partial(_written, 2),
    "slice_scatter": partial(_written, 1),
    "select_scatter": partial(_written, 1),
    "scatter": partial(_written, 3),
    "fill": _constant,
    "_adaptive_avg_pool2d": _as_large,
    "_adaptive_avg_pool3d": _as_large,
    "mean": _alone,
    "sum": _alone,
    **LOGIC,
}
