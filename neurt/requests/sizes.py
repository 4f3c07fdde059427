"""Batches and contexts that may be several: `8`, `1,8,64`, `128..8192`. No torch."""

from __future__ import annotations

import re
from itertools import product
from typing import Annotated, Any, Self

from pydantic import BeforeValidator

from hwmodels import HardwareProfile
from hwmodels.plain import quoted, shortened
from neurt.requests.base import Count, Flag, Pass, RequestError
from neurt.requests.machines import Paired

#: The largest size that is no slip, and how many there may be of one, and pairs of both.
LARGEST, MOST, MOST_PAIRS = 10_000_000, 64, 256

_SIZE = re.compile(r"[0-9]+", re.ASCII)
#: Digits that Python makes a number of.
_DIGITS = 4000


def _sizes(value: Any) -> Any:
    """One size as it is, several in rising order.

    Raises:
        ValueError: If a text is none, a span falls, or there are too many.
    """
    if not isinstance(value, list | tuple | str):
        return value
    parts = [x.strip() for x in value.split(",")] if isinstance(value, str) else value
    found = tuple(sorted({size for part in parts for size in _of(part, alone=len(parts) == 1)}))
    if len(found) > MOST:
        raise ValueError(f"has {len(found)} sizes, and {MOST} are the most; leave some out")
    return found[0] if len(found) == 1 else found


def _of(part: Any, *, alone: bool) -> tuple[int, ...]:
    """The sizes that a part of a list says."""
    low, dots, high = str(part).partition("..")
    words = "an integer" if alone and not dots else "integers, as 8, 1,8,64 or 128..8192"
    ends = [_size(text, f"must be {words}, not {quoted(part)}") for text in (low, high or low)]
    if not dots:
        return (ends[0],)
    if not high or ends[0] >= ends[1]:
        raise ValueError(f"a span must rise, as 128..8192, unlike {quoted(part)}")
    powers = (1 << power for power in range(LARGEST.bit_length()))
    return (ends[0], *(power for power in powers if ends[0] < power < ends[1]), ends[1])


def _size(text: str, rule: str) -> int:
    if not _SIZE.fullmatch(text):
        raise ValueError(rule)
    if len(text) > _DIGITS:
        raise ValueError(f"must have fewer digits, not {shortened(text)}")
    if not 1 <= int(text) <= LARGEST:
        end = f"at most {LARGEST:,}" if int(text) else "at least 1"
        raise ValueError(f"must be {end}, not {shortened(text)}")
    return int(text)


#: A size, or several of them to sweep over.
Sizes = Annotated[Count | tuple[Count, ...], BeforeValidator(_sizes)]


def _one(value: Any) -> Any:
    """One size; raises ValueError, which says who takes several."""
    found = _sizes(value)
    if isinstance(found, tuple):
        raise ValueError(  # noqa: TRY004  a wrong value is what it is
            "must be one size, for the model is run at it; several are swept in closed form by "
            "`neurt-energy plan` (--analog for the analog model alone)"
        )
    return found


#: A size of a command that runs the model.
OneSize = Annotated[Count, BeforeValidator(_one)]


def each(sizes: int | tuple[int, ...]) -> tuple[int, ...]:
    """The sizes one by one."""
    return sizes if isinstance(sizes, tuple) else (sizes,)


class Swept(Paired, Pass):
    """A pass of one batch and one context, or a table over several of them."""

    # A sweep is made into requests of one size each (`points`) before anything counts.
    context: Annotated[Sizes, Flag("N", sizes=True)] = 128  # type: ignore[assignment]
    """attended tokens in decode, the new one included; several, as 1,8,64 or 128..8192 (these and
    the powers of two between them), make one table over all"""
    batch: Annotated[Sizes, Flag("N", sizes=True)] = 1  # type: ignore[assignment]
    """sequences side by side; several, as for --context"""

    @property
    def is_sweep(self) -> bool:
        """Whether it asks for several batches or contexts."""
        return len(each(self.batch)) * len(each(self.context)) > 1

    @property
    def points(self) -> tuple[Self, ...]:
        """The requests of one batch and one context that it is made of."""
        pairs = product(each(self.batch), each(self.context))
        # What nobody gave stays so: where it has no effect, a point is not told of it.
        given = self.model_fields_set & {"batch", "context"}
        sizes = ({"batch": b, "context": c} for b, c in pairs)
        return tuple(self.model_copy(update={x: one[x] for x in given}) for one in sizes)

    def check(self) -> None:
        """See `Request.check`."""
        if not self.is_sweep:
            super().check()
            return
        lengths = {"prompt", "generate"} & self.model_fields_set
        if lengths and len(each(self.context)) > 1:
            raise RequestError(
                "several --context are of one pass, and --prompt with --generate is a whole "
                "request, as long as these say; give one of the two"
            )
        if (pairs := len(self.points)) > MOST_PAIRS:
            raise RequestError(
                f"--batch and --context make {pairs} pairs, and {MOST_PAIRS} are the most; leave "
                "some out"
            )
        for point in self.points:
            point.check()

    def idle(self) -> dict[str, str]:
        """See `Request.idle`."""
        found = super().idle()
        if self.is_sweep:
            own = "several --batch or --context make one table; give one of each"
            found |= dict.fromkeys(("card", "memory", "details", "page", "mixed", "latency_s"), own)
        return found

    def profiles(self) -> tuple[HardwareProfile, ...]:
        """See `Hardware`; raises RequestError too if several contexts are asked of a whole chip."""
        found = super().profiles()
        if len(each(self.context)) > 1 and found[0].whole_chip is not None:
            raise RequestError(
                f"'{found[0].name}' has the prices of a whole chip, for --prompt with --generate, "
                "which say how long a request is; give several --batch, or hardware that prices "
                "operations"
            )
        return found
