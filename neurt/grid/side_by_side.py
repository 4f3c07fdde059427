"""Work in processes side by side, no more at a time than memory allows. No torch here."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from hwmodels.errors import UserError
from neurt.progress import Progress, silent

Result = TypeVar("Result")


class EngineError(UserError, RuntimeError):
    """Processes or machines that failed, whatever they worked on."""

    way_out = ""  #: how to run the same command again


class ProcessKilledError(EngineError):
    """A process that ended without a word."""

    way_out = " with fewer --jobs"


@dataclass(frozen=True)
class Task(Generic[Result]):
    """One piece of work; it is sent to another process, so it must be picklable."""

    title: str  #: what it is called
    work: Callable[[Progress], Result]  #: does it; given something to tell its progress to
    peak_bytes: int = 0  #: memory that it is expected to take at most
    stages: tuple[str, ...] = ()  #: what it tells its progress of, one after the other


@dataclass
class _Running(Generic[Result]):
    key: str
    task: Task[Result]
    process: BaseProcess
    slot: int


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of(processes: int) -> int | None:
    """Threads for each of several processes; None, for as many as there are, in a single one."""
    return None if processes == 1 else max(1, cores() // processes)


def percent(stages: Sequence[str], stage: str, done: int, total: int) -> int | None:
    """How much of a task is done, whose stages take equally long; None for what is no stage."""
    if stage not in stages:
        return None
    return round(100 * (stages.index(stage) + done / max(1, total)) / len(stages))


def by_process(
    progress: Progress, stages: Sequence[str], of: str
) -> Callable[[int, str, int, int], None]:
    """How far each process is with its task, which is called `of`, in percent."""

    def tell(slot: int, stage: str, done: int, total: int) -> None:
        if (share := percent(stages, stage, done, total)) is not None:
            progress(f"process {slot} (% of {of})", share, 100)

    return tell


def side_by_side(
    tasks: Mapping[str, Task[Result]],
    processes: int,
    most_bytes: int = sys.maxsize,
    *,
    alone: Progress = silent,
    progress: Callable[[int, str, int, int], None] = silent,
    reuse: bool = False,
) -> Iterator[tuple[str, Result]]:
    """Do tasks one after the other in this process, or the largest first in several others.

    A task starts when a process is free and the expected memory of all that run stays below the
    bound; one that is larger than the bound runs alone.

    Args:
        processes: How many at a time; 1 for this one.
        most_bytes: Expected memory of all that run at a time.
        alone: Told the progress of a task in this process.
        progress: Told the number of another process from 1 on, and how far its task is.
        reuse: Whether a process does one task after another, and so imports and measures once what
            they share; otherwise it ends with its task and gives its memory back.

    Yields:
        Each key with its result, in the order in which they end.

    Raises:
        ProcessKilledError: If a process is killed; the others are stopped.
        RuntimeError: If a task raises, which it shall not; its process has printed the traceback.
    """
    if processes == 1:
        yield from ((key, task.work(alone)) for key, task in tasks.items())
        return
    waiting = sorted(tasks, key=lambda key: -tasks[key].peak_bytes)
    running: dict[Connection, _Running[Result]] = {}
    free = list(range(processes, 0, -1))
    try:
        while waiting or running:
            while free and (key := _next(waiting, running, tasks, most_bytes)) is not None:
                connection, process = _start(tasks[key])
                running[connection] = _Running(key, tasks[key], process, free.pop())
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                worker = running[ready]
                said, content = _received(ready, worker)
                if said == "progress":
                    progress(worker.slot, *content)
                    continue
                del running[ready]
                following = _next(waiting, running, tasks, most_bytes) if reuse else None
                with suppress(OSError):  # whoever is gone is noticed when nothing comes back
                    ready.send(None if following is None else tasks[following])
                if following is not None:
                    running[ready] = replace(worker, key=following, task=tasks[following])
                else:
                    worker.process.join()
                    free.append(worker.slot)
                yield worker.key, content
    finally:
        for worker in running.values():
            worker.process.terminate()
        for worker in running.values():
            worker.process.join()


def _received(connection: Connection, worker: _Running[Any]) -> tuple[str, Any]:
    try:
        message: tuple[str, Any] = connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        code, name = worker.process.exitcode or 0, worker.task.title
        if code < 0:
            reason = f"was killed by signal {-code}, perhaps for want of memory"
            raise ProcessKilledError(f"the process of {name} {reason}") from None
        ended = f"the process of {name} ended with code {code} and no result"
        raise RuntimeError(ended) from None
    return message


def _next(
    waiting: list[str],
    running: Mapping[Connection, _Running[Result]],
    tasks: Mapping[str, Task[Result]],
    most_bytes: int,
) -> str | None:
    """Take the next task that may start."""
    left = most_bytes - sum(worker.task.peak_bytes for worker in running.values())
    fits = (key for key in waiting if tasks[key].peak_bytes <= left or not running)
    if (key := next(fits, None)) is not None:
        waiting.remove(key)
    return key


def _start(task: Task[Any]) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends with the process
    ours.send(task)
    return ours, process


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    while (task := _heard(connection)) is not None:
        result = task.work(lambda *done: _tell(connection, "progress", done))
        _tell(connection, "result", result)


def _heard(connection: Connection) -> Task[Any] | None:
    with suppress(EOFError):
        task: Task[Any] | None = connection.recv()
        return task
    return None


def _tell(connection: Connection, what: str, content: object) -> None:
    with suppress(BrokenPipeError):  # nobody is there to hear
        connection.send((what, content))
