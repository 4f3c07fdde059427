"""Points of a grid: those that are kept are read, the others are worked on and kept.

They are worked on by an engine: `side_by_side`, or `cluster.on_ray`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Protocol, TypeVar

from energy.words import duration
from hwmodels.errors import UserError
from hwmodels.plain import several
from neurt.grid.side_by_side import EngineError, Task
from neurt.loading.source import ModelSource, resolve
from neurt.progress import Progress, Say

Result = TypeVar("Result")

#: Does tasks, and gives each key with its result or with the error that explains itself.
Engine = Callable[[Mapping[str, Task[Result | str]]], Iterator[tuple[str, Result | str]]]


class GridError(UserError, RuntimeError):
    """A grid that cannot be worked through, or a point of it that failed."""


class Store(Protocol[Result]):
    """Where results are kept."""

    def get(self, key: str) -> Result | None:
        """The result of a point; None if there is none yet."""

    def put(self, key: str, result: Result) -> object:
        """Keep the result of a point."""


def analog_source(model: str, command: str) -> ModelSource:
    """Where an analog model comes from; GridError for a converted one, which `command` takes."""
    source = resolve(model)
    if source.is_converted:
        raise GridError(
            f"'{model}' is a converted model, of which there is one conversion only; give the "
            f"analog model, or this one to neurt-energy {command}"
        )
    return source


def work_through(
    tasks: Mapping[str, Task[Result | str]],
    store: Store[Result],
    engine: Engine[Result],
    doing: str,
    out: Path,
    progress: Progress,
    say: Say,
    workers: int | None = None,
) -> list[Result]:
    """Results in the order of the tasks: those that are not kept yet are made, and kept at once.

    So what was interrupted goes on where it was, and a larger grid takes over the points of a
    smaller one.

    Args:
        tasks: One per point, by the key under which its result is kept.
        doing: What `progress` is told.
        workers: How many points are worked on at a time, where they are alike: `say` is then told,
            after the first of them, how long the others are going to take.

    Raises:
        GridError: If a point fails (all others are still done), or the engine does.
    """
    kept = {key: store.get(key) for key in tasks}
    known = {key: result for key, result in kept.items() if result is not None}
    missing = {key: tasks[key] for key in tasks if key not in known}
    if known:
        say(f"Known already: {len(known)} of {several(len(tasks), 'point')}.")
    progress(doing, len(known), len(tasks))
    failed: list[str] = []
    started = monotonic()
    try:
        for number, (key, result) in enumerate(engine(missing) if missing else (), 1):
            if isinstance(result, str):
                failed.append(f"{missing[key].title}: {result}")
            else:
                store.put(key, result)
                known[key] = result
            progress(doing, len(known) + len(failed), len(tasks))
            if workers is not None and number == 1 < len(missing) and not failed:
                say(_how_long(monotonic() - started, len(missing), workers))
    except EngineError as error:
        raise GridError(
            f"{error}; the points that are done are kept in '{out}', run the same command again"
            f"{error.way_out}"
        ) from error
    if failed:
        others = (
            f"; the others are kept in '{out}', run the same command again when the cause is gone"
        )
        share = f"{len(failed)} of {several(len(tasks), 'point')}"
        raise GridError(f"{share} failed, first {failed[0]}{others if known else ''}")
    return [known[key] for key in tasks]


def _how_long(first_s: float, points: int, workers: int) -> str:
    """How long the others take, in rounds of as many as are worked on at a time."""
    others_s = max(1, ceil(points / workers) - 1) * first_s
    return (
        f"The first of {points} points took {duration(first_s)}; the others take about "
        f"{duration(others_s)}."
    )
