"""Work in processes side by side, no more at a time than memory allows. No torch here."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from hwmodels.errors import UserError

Result = TypeVar("Result")

#: Told what is being done, how much is done, and how much there is.
Progress = Callable[[str, int, int], None]


class ProcessKilledError(UserError, RuntimeError):
    """A process that ended without a word."""


@dataclass(frozen=True)
class Task(Generic[Result]):
    """One piece of work; it is sent to another process, so it must be picklable.

    Attributes:
        title: What it is called.
        work: Does it; given something to tell its progress to.
        peak_bytes: Memory that it is expected to take at most.
    """

    title: str
    work: Callable[[Progress], Result]
    peak_bytes: int = 0


@dataclass
class _Running(Generic[Result]):
    task: Task[Result]
    process: BaseProcess
    slot: int


def side_by_side(
    tasks: Sequence[Task[Result]],
    processes: int,
    most_bytes: int,
    progress: Callable[[int, Task[Result], str, int, int], None] = lambda *_: None,
) -> Iterator[tuple[Task[Result], Result]]:
    """Do each task in a process of its own, so that its memory is given back when it ends.

    The largest come first. A task starts when a process is free and the expected memory of all
    that run stays below the bound; one that is larger than the bound runs alone.

    Args:
        tasks: What to do.
        processes: How many at a time.
        most_bytes: Expected memory of all that run at a time.
        progress: Told the number of a process from 1 on, its task, and how far that is.

    Yields:
        Each task with its result, in the order in which they end.

    Raises:
        ProcessKilledError: If a process is killed; the others are stopped.
        RuntimeError: If a task raises, which it shall not; its process has printed the traceback.
    """
    waiting = sorted(tasks, key=lambda task: -task.peak_bytes)
    running: dict[Connection, _Running[Result]] = {}
    free = list(range(processes, 0, -1))
    try:
        while waiting or running:
            while free and (task := _next(waiting, running, most_bytes)):
                waiting.remove(task)
                connection, process = _start(task)
                running[connection] = _Running(task, process, free.pop())
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                one = running[ready]
                try:
                    said, content = ready.recv()
                except EOFError:
                    raise _ended(one) from None
                if said == "progress":
                    progress(one.slot, one.task, *content)
                    continue
                del running[ready]
                one.process.join()
                free.append(one.slot)
                yield one.task, content
    finally:
        for one in running.values():
            one.process.terminate()
        for one in running.values():
            one.process.join()


def _ended(one: _Running[Any]) -> RuntimeError:
    one.process.join()
    code = one.process.exitcode or 0
    if code < 0:
        reason = f"was killed by signal {-code}, perhaps for want of memory"
        return ProcessKilledError(f"the process of {one.task.title} {reason}")
    return RuntimeError(f"the process of {one.task.title} ended with code {code} and no result")


def _next(
    waiting: Sequence[Task[Result]],
    running: dict[Connection, _Running[Result]],
    most_bytes: int,
) -> Task[Result] | None:
    left = most_bytes - sum(one.task.peak_bytes for one in running.values())
    return next((task for task in waiting if task.peak_bytes <= left or not running), None)


def _start(task: Task[Any]) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends with the process
    return ours, process


def _work(task: Task[Any], connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    with suppress(BrokenPipeError):  # nobody is there to hear
        result = task.work(lambda *done: connection.send(("progress", done)))
        connection.send(("result", result))
