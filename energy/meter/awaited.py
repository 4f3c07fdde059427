"""Whole numbers that a device counts while the host goes on, fetched when a pass has ended.

Asking an accelerator for a number waits for all the work that it was given. So inside of
`awaiting()` a number of a tensor there is an `Awaited`: the device is told to count, and its answer
is fetched with all others at the end. It stands for the `int` in formulas: sums and multiples are
made without it, and whatever else is asked of it (a comparison, a division) fetches it at once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import Tensor

from energy.counts import Tally

#: Given the numbers of a reading as soon as they are known; raises if they cannot be.
Check = Callable[[Sequence[int]], None]
#: Readings that are kept on a device; each is some 0.5 KiB there.
_MOST = 4096


class _Reading:
    """Whole numbers (n,) that a device counts."""

    __slots__ = ("_asked", "_check", "_numbers")

    def __init__(self, asked: Tensor, check: Check | None) -> None:
        self._asked, self._check = asked, check
        self._numbers: list[int] = []

    @property
    def numbers(self) -> list[int]:
        """They; waits for the device unless they were fetched."""
        if not self._numbers:
            _fetch([self])
        return self._numbers

    @property
    def asked(self) -> Tensor | None:
        """What is to be fetched; None where it was."""
        return None if self._numbers else self._asked

    def told(self, numbers: list[int]) -> None:
        """Take them."""
        self._numbers, self._asked = numbers, torch.empty(0)
        if self._check is not None:
            self._check(numbers)


def _of_number(operation: Callable[..., Any]) -> Any:
    """A method that does it with the number itself."""
    return lambda self, *others: operation(int(self), *others)


class Awaited:
    """A sum of multiples of numbers that are not known yet, in the place of an `int`."""

    __slots__ = ("_known", "_parts")

    def __init__(self, parts: Mapping[tuple[_Reading, int], int], known: int = 0) -> None:
        self._parts, self._known = parts, known

    def __int__(self) -> int:
        """The number; waits for the device unless it was fetched."""
        parts = self._parts.items()
        return self._known + sum(times * it.numbers[at] for (it, at), times in parts)

    def __add__(self, other: Any) -> Any:
        """A sum with another awaited number, or with a whole one."""
        if isinstance(other, Awaited):
            parts = dict(self._parts)
            for part, times in other._parts.items():
                parts[part] = parts.get(part, 0) + times
            return Awaited(parts, self._known + other._known)
        known = isinstance(other, int)
        return Awaited(self._parts, self._known + other) if known else int(self) + other

    def __mul__(self, other: Any) -> Any:
        """A multiple."""
        if not isinstance(other, int):
            return int(self) * other
        parts = {part: times * other for part, times in self._parts.items()}
        return Awaited(parts, self._known * other)

    def __sub__(self, other: Any) -> Any:
        """A difference."""
        return self + -1 * other

    def __rsub__(self, other: Any) -> Any:
        """A difference, the other way round."""
        return -1 * self + other

    __radd__, __rmul__, __index__ = __add__, __mul__, __int__
    # What is no sum of multiples is made of the number itself.
    __bool__, __float__ = _of_number(bool), _of_number(float)
    __hash__, __repr__ = _of_number(hash), _of_number(repr)
    __eq__, __lt__, __le__ = map(_of_number, (operator.eq, operator.lt, operator.le))
    __gt__, __ge__, __mod__ = map(_of_number, (operator.gt, operator.ge, operator.mod))
    __truediv__, __floordiv__ = map(_of_number, (operator.truediv, operator.floordiv))
    __rtruediv__ = _of_number(lambda number, other: other / number)


_OPEN: ContextVar[list[_Reading] | None] = ContextVar("readings", default=None)


@contextmanager
def awaiting() -> Iterator[Callable[[], None]]:
    """Inside the block, numbers of tensors on accelerators are awaited.

    Yields:
        A function that fetches all of them; it raises what their checks raise.
    """
    readings = list[_Reading]()
    token = _OPEN.set(readings)
    try:
        yield lambda: _fetch(readings)
    finally:
        _OPEN.reset(token)


def wholes(asked: Tensor, check: Check | None = None) -> list[int]:
    """Whole numbers of a tensor (n,), awaited if it is on an accelerator and somebody waits.

    Args:
        asked: The numbers, in INT64.
        check: Given them when they are known; raises if they cannot be.
    """
    reading, readings = _Reading(asked, check), _OPEN.get()
    if readings is None or asked.device.type == "cpu":
        return reading.numbers
    readings.append(reading)
    if len(readings) > _MOST:
        _fetch(readings)
    return cast("list[int]", [Awaited({(reading, at): 1}) for at in range(len(asked))])


def whole(asked: Tensor) -> int:
    """One whole number of a tensor (); see `wholes`."""
    return wholes(asked.reshape(1))[0]


def here(number: int) -> int:
    """A number for somebody who does not wait: where nobody does, it is fetched."""
    return number if _OPEN.get() is not None else int(number)


def _fetch(readings: list[_Reading]) -> None:
    """Fetch numbers, all of one device together; none is awaited afterwards."""
    by_device: dict[torch.device, list[tuple[_Reading, Tensor]]] = {}
    for reading in readings:
        if (asked := reading.asked) is not None:
            by_device.setdefault(asked.device, []).append((reading, asked))
    readings.clear()
    for each in by_device.values():
        told = torch.cat([asked for _, asked in each]).cpu().tolist()
        at = 0
        for reading, asked in each:
            reading.told(told[at : at + len(asked)])
            at += len(asked)


def settled(tally: Tally) -> Tally:
    """The same with known numbers in the place of awaited ones."""
    return Tally(
        {op: _settled(number) for op, number in tally.ops.items()},
        *(_settled(number) for number in tally[1:]),
    )


def _settled(number: Any) -> Any:
    return int(number) if isinstance(number, Awaited) else number
