"""How spikes are carried on by logic, comparisons and functions of one value.

Each rule is given the arguments of the operation, and says nothing (None) where what comes out is
none of spikes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor

from energy.network.provenance import Constant, Origin, number_of, spikes_of
from energy.network.spikes import BLANK, Spikes

Look = Callable[[Tensor], Origin]

_BINARY = Spikes(0, 1)


def _truth(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """Logic and comparisons of spikes with each other, or with constants: true or false."""
    tensors = [x for x in args[:2] if isinstance(x, Tensor)]
    found = [spikes_of(look(x)) for x in tensors]
    # Zeros alone may be a state that nobody declared, which says nothing.
    if all(x is None or x.blank for x in found):
        return None
    others = (x for x, spikes in zip(tensors, found, strict=True) if spikes is None)
    return _BINARY if all(isinstance(look(x), Constant) for x in others) else None


def _bits(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """The same of bits, which of values other than true and false are something else."""
    tensors = [x for x in args[:2] if isinstance(x, Tensor)]
    return _truth(args, words, look) if all(x.dtype is torch.bool for x in tensors) else None


def _limited(
    places: tuple[int, int], args: Sequence[Any], words: Mapping[str, Any], look: Look
) -> Spikes | None:
    """No less than one number and no more than another one, which are whole units."""
    found = spikes_of(look(args[0]))
    if found is None or found.power or found.unit <= 0:
        return None
    ends = []
    for at, name, default in zip(places, ("min", "max"), (-inf, inf), strict=True):
        value = args[at] if 0 < at < len(args) else words.get(name)
        end = default if value is None else number_of(value, look)
        if end is None:
            return None
        ends.append(end / found.unit)
    low, high = (min(max(x, ends[0]), ends[1]) for x in (found.low, found.high))
    if low != int(low) or high != int(high):
        return None
    limited = replace(found, low=int(low), high=int(high))
    return limited if limited.levels is not None else None


def _negative(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    found = spikes_of(look(args[0]))
    if found is None or found.power:
        return found
    return BLANK.plus(found, -1)


def _sign(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    found = spikes_of(look(args[0]))
    if found is None or found.blank:
        return found
    both = found.power or found.low < 0 or found.unit < 0
    return Spikes(-1 if both else 0, 1)


def _power(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """A power of what is 0 and 1 (or -1)."""
    found = spikes_of(look(args[0])) if isinstance(args[0], Tensor) else None
    times = number_of(args[1], look)
    if found is None or found.power or times is None or times < 1 or times != int(times):
        return None
    if found.low < -1 or found.high > 1:
        return None
    low = found.low if times % 2 else 0
    high = found.high if times % 2 else 1
    return replace(found, low=low, high=high, unit=found.unit ** int(times))


def _positive(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """A function that leaves what is not negative as it is."""
    found = spikes_of(look(args[0]))
    return found if found is not None and found.low >= 0 and found.unit > 0 else None


def _drawn(args: Sequence[Any], words: Mapping[str, Any], look: Look) -> Spikes | None:
    """Zeros and ones drawn at random: a train of spikes, or the mask of a dropout."""
    return _BINARY


#: What comes out of each.
LOGIC: Mapping[str, Callable[[Sequence[Any], Mapping[str, Any], Look], Spikes | None]] = {
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor", "logical_not"), _truth),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), _truth),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"), _bits),
    **dict.fromkeys(("and", "or", "xor"), _bits),
    "clamp": partial(_limited, (1, 2)),
    "clamp_min": partial(_limited, (1, -1)),
    "clamp_max": partial(_limited, (-1, 1)),
    "hardtanh": partial(_limited, (1, 2)),
    "neg": _negative,
    "sign": _sign,
    "pow": _power,
    **dict.fromkeys(("relu", "abs", "leaky_relu", "_prelu_kernel", "elu"), _positive),
    "bernoulli": _drawn,
}
