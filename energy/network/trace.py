"""The calls of one neuron layer: how many were steps, and how many were other uses of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from energy.network.arrive import NetworkError


class Use(NamedTuple):
    """Where in a network a call of neurons stands."""

    place: Hashable  #: the layer that made what they took; or else the place in the code
    made: bool = False  #: whether it is such a layer


@dataclass
class Trace:
    """The calls of one neuron layer."""

    multi_step: bool | None  #: whether the first dimension of its input is time
    remembers: bool = True  #: whether it keeps its state itself
    calls: int = 0
    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)  #: of its inputs, by calls
    passes: Counter[int] = field(default_factory=Counter)  #: its calls in each of the network
    uses: Counter[Use] = field(default_factory=Counter)
    #: calls that were given the state of the one before, by the state that they began with
    chains: Counter[int] = field(default_factory=Counter)

    def add(self, shape: tuple[int, ...], use: Use | None = None, at: int = 0) -> None:
        """Add a call, in the pass `at` of the network."""
        self.calls += 1
        self.passes[at] += 1
        self.shapes[shape] += 1
        if use is not None:
            self.uses[use] += 1

    def batches(self, at: int) -> Counter[int]:
        """Samples side by side, which are the dimension `at` of inputs of vectors; with calls."""
        found: Counter[int] = Counter()
        for shape, calls in self.shapes.items():
            found[shape[at] if len(shape) > at + 1 else 1] += calls
        return found

    @property
    def first(self) -> int:
        """The first dimension of what it took, in its first call."""
        return next((shape[0] for shape in self.shapes if shape), 1)

    @property
    def passed_on(self) -> int | None:
        """The steps through which every state was passed on; None where that says nothing."""
        lengths = set(self.chains.values())
        return lengths.pop() if len(lengths) == 1 and lengths != {1} else None

    @property
    def each(self) -> int:
        """How often a step uses it: from so many places, equally often."""
        return len(self.uses) if len({*self.uses.values()}) == 1 else 1

    @property
    def unclear(self) -> bool:
        """Whether calls from several places may be steps, or layers that share it."""
        return self.each > 1 and self.passed_on is None and not all(use.made for use in self.uses)

    def axis(self, name: str) -> int:
        """The time steps of one that takes all of them at once.

        Raises:
            NetworkError: If there were more in one call than in another.
        """
        return _only({shape[0] for shape in self.shapes if shape}, name)

    def each_pass(self, name: str) -> int:
        """The calls of one that takes a step in each, in a pass of the network.

        Raises:
            NetworkError: If there were more in one pass than in another.
        """
        return _only({*self.passes.values()}, name)

    def runs(self, steps: int, *, multi: bool) -> int:
        """How often it ran through all time steps, once for each of its uses."""
        whole = 1 if multi else steps
        each = self.each if self.calls % (whole * self.each) == 0 else 1
        return max(1, self.calls // (whole * each))


def _only(lengths: set[int], name: str) -> int:
    if len(lengths) > 1:
        listed = " and ".join(map(str, sorted(lengths)))
        raise NetworkError(
            f"neurons '{name}' took {listed} time steps in different calls; count passes of "
            "different time steps apart"
        )
    return next(iter(lengths), 1)
