"""Records that are made of columns when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar, overload

T = TypeVar("T")


class Views(Sequence[T]):
    """A sequence whose items are made when they are asked for, and kept once all of them were."""

    def __init__(self, size: int, make: Callable[[int], T]) -> None:
        self._size, self._make = size, make

    @cached_property
    def _all(self) -> tuple[T, ...]:
        return tuple(map(self._make, range(self._size)))

    def __len__(self) -> int:
        """How many there are."""
        return self._size

    def __iter__(self) -> Iterator[T]:
        """Each of them."""
        return iter(self._all)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        """One of them, or some."""
        if isinstance(index, slice) or "_all" in vars(self):
            return self._all[index]
        return self._make(range(self._size)[index])

    def __eq__(self, other: object) -> bool:
        """Whether another sequence has the same items."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """The same for those that are equal."""
        return hash(self._all)

    def __repr__(self) -> str:
        """As a tuple of them."""
        return repr(self._all)
