"""Points of a grid: those that are kept are read, the others are worked on and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from hwmodels.errors import UserError
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
    """Where the analog model of a grid comes from; `command` is that for a converted one.

    Raises:
        ModelError: If it is unknown.
        GridError: If it is a converted one.
    """
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
) -> list[Result]:
    """Do every task that has no result yet, and keep each result as soon as it is there.

    So what was interrupted goes on where it was, and a larger grid takes over the points of a
    smaller one.

    Args:
        tasks: One per point, by the key under which its result is kept.
        store: Where results are kept.
        engine: Does the tasks that are left.
        doing: What `progress` is told.
        out: Output directory, for messages.
        progress: Told how many points are done.
        say: Given lines that the user must read.

    Returns:
        The results in the order of the tasks.

    Raises:
        PointError: If a kept result is damaged.
        GridError: If a point fails (all others are still done), or the engine does.
    """
    kept = {key: store.get(key) for key in tasks}
    known = {key: result for key, result in kept.items() if result is not None}
    missing = {key: tasks[key] for key in tasks if key not in known}
    if known:
        say(f"{len(known)} of {len(tasks)} points are known already.")
    progress(doing, len(known), len(tasks))
    failed: list[str] = []
    try:
        for key, result in engine(missing) if missing else ():
            if isinstance(result, str):
                failed.append(f"{missing[key].title}: {result}")
            else:
                store.put(key, result)
                known[key] = result
            progress(doing, len(known) + len(failed), len(tasks))
    except EngineError as error:
        raise GridError(
            f"{error}; the points that are done are kept in '{out}', run the same command again"
            f"{error.way_out}"
        ) from error
    if failed:
        raise GridError(
            f"{len(failed)} of {len(tasks)} points failed, first {failed[0]}; the others are kept "
            f"in '{out}', run the same command again when the cause is gone"
        )
    return [known[key] for key in tasks]
