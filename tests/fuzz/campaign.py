"""Many cases; what fails is run again alone, and made smaller."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import walk_packages
from random import Random

from .case import Case, Draw
from .isolated import Limits, Outcome, run
from .judge import kind_of, verdict
from .kinds import KINDS
from .seeds import Seeds, make_seeds

#: Inputs that are run by one process, if they leave it alive.
BATCH = 20
_ROOMS = ("hwmodels", "energy", "reports", "neurt")


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    seed: int
    index: int
    kind: str
    code: int
    cpu_s: float
    said: str = ""  #: what is wrong with it; empty if nothing is
    case: Case | None = None  #: the smallest input that fails likewise


@dataclass(frozen=True)
class Campaign:
    """Inputs, numbered from 0, that a seed decides."""

    seed: int
    seeds: Seeds
    limits: Limits
    only: tuple[str, ...] = ()  #: kinds; all if empty

    def results(self, indices: range, jobs: int = 1) -> Iterator[Result]:
        """The results of inputs, in their order."""
        batches = [indices[at : at + BATCH] for at in range(0, len(indices), BATCH)]
        if jobs == 1:
            yield from chain.from_iterable(map(self.batch, batches))
            return
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            yield from chain.from_iterable(pool.imap(self.batch, batches))

    def kind(self, index: int) -> str:
        """The kind of an input, drawn by the weights of `KINDS`."""
        names = [name for name in KINDS if not self.only or name in self.only]
        weights = [KINDS[name][0] for name in names]
        return Random(f"{self.seed}:{index}:kind").choices(names, weights)[0]

    def make(self, index: int, without: frozenset[int] = frozenset()) -> Case:
        """The input of a number, without some of its changes."""
        kind = self.kind(index)
        return KINDS[kind][1](Draw(f"{self.seed}:{index}:{kind}", without), self.seeds)

    def try_one(self, case: Case) -> tuple[Outcome, str]:
        """How an input ends, alone, and what is wrong with that."""
        [outcome] = run([case], self.limits)
        return outcome, verdict(case, outcome)

    def batch(self, indices: range) -> list[Result]:
        """Run some inputs, and make those smaller that fail."""
        cases = [self.make(index) for index in indices]
        outcomes = run(cases, self.limits)
        return [self._result(*row) for row in zip(indices, cases, outcomes, strict=True)]

    def _result(self, index: int, case: Case, outcome: Outcome) -> Result:
        result = partial(Result, self.seed, index, self.kind(index))
        if verdict(case, outcome):
            outcome, said = self.try_one(case)  # whatever others have done to the process
            if said:
                said, case = self._smaller(partial(self.make, index), case, said)
                return result(outcome.code, outcome.cpu_s, said, case)
        return result(outcome.code, outcome.cpu_s)

    def _smaller(
        self, again: Callable[[frozenset[int]], Case], case: Case, said: str
    ) -> tuple[str, Case]:
        """Leave out every change that the failure does without."""
        without: frozenset[int] = frozenset()
        for number in list(case.changes) if len(case.changes) > 1 else []:
            smaller = again(without | {number})
            _, found = self.try_one(smaller)
            if found and kind_of(found) == kind_of(said):
                without, case, said = without | {number}, smaller, found
        return said, case


def prepare() -> Seeds:
    """Load everything once, and make the valid inputs; what is forked then starts at once."""
    import torch

    torch.set_num_threads(1)
    for room in _ROOMS:
        for module in walk_packages(import_module(room).__path__, f"{room}."):
            if ".assets" not in module.name:
                import_module(module.name)
    seeds = make_seeds()
    gc.collect()
    gc.freeze()
    return seeds


def keep(result: Result, folder: Path) -> Path:
    """Save the files of a failing input."""
    assert result.case is not None
    out = folder / f"{result.seed}-{result.index}-{result.kind}"
    for path, data in result.case.files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)
    return out
