# The work of these processes is made of the standard library, which each of them can import.
from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from itertools import starmap
from operator import methodcaller
from typing import Any

import pytest

import neurt.grid.side_by_side
from neurt.grid.side_by_side import ProcessKilledError, Task, side_by_side

GIB = 2**30


class Sent:
    """Work that does something in the process that it is sent to, before it is there."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __call__(self, _progress: Any) -> None: ...

    def __reduce__(self) -> Any:
        return self.call[0], self.call[1:]


def named(*tasks: Task[Any]) -> dict[str, Task[Any]]:
    return {task.title: task for task in tasks}


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def test_each_task_ends_with_its_result_and_says_how_far_it_is() -> None:
    tasks = [Task(name, methodcaller("__call__", name, 1, 2)) for name in ("a", "b")]
    tasks.append(Task("c", callable))
    said: list[Any] = []
    found = side_by_side(named(*tasks), 2, progress=lambda _slot, *done: said.append(done))
    assert dict(found) == {"a": None, "b": None, "c": True}
    assert sorted(said) == [("a", 1, 2), ("b", 1, 2)]


def test_one_process_is_this_one() -> None:
    tasks = named(*(Task(name, methodcaller("__call__", name, 1, 2)) for name in "ab"))
    said: list[Any] = []
    assert list(side_by_side(tasks, 1, alone=lambda *done: said.append(done))) == [
        ("a", None),
        ("b", None),
    ]
    assert said == [("a", 1, 2), ("b", 1, 2)]


def test_nothing_to_do_is_done() -> None:
    assert list(side_by_side({}, 2, GIB)) == []


def test_a_process_that_is_killed_is_said_and_the_others_are_stopped() -> None:
    tasks: list[Task[None]] = [
        Task("a long one", Sent(time.sleep, 100), peak_bytes=2),
        Task("the deadly one", Sent(signal.raise_signal, signal.SIGKILL), peak_bytes=1),
    ]
    with pytest.raises(ProcessKilledError) as caught:
        list(side_by_side(named(*tasks), 2, GIB))
    assert str(caught.value) == (
        "the process of the deadly one was killed by signal 9, perhaps for want of memory"
    )


def test_an_interrupt_stops_the_processes() -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    tasks: list[Task[None]] = [
        Task("a long one", Sent(time.sleep, 100)),
        Task("one that speaks", methodcaller("__call__", "half", 1, 2)),
    ]
    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(named(*tasks), 2, progress=interrupt))


def end_of_file(_progress: Any) -> None:
    raise EOFError("a file ends early")


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (len, "TypeError: object of type 'function' has no len()"),
        (end_of_file, "EOFError: a file ends early"),  # which is not the end of the pipe
    ],
)
def test_a_task_that_raises_is_a_bug(
    capfd: pytest.CaptureFixture[str], work: Any, error: str
) -> None:
    with pytest.raises(RuntimeError, match="process of wrong ended with code 1 and no result"):
        list(side_by_side({"": Task("wrong", work)}, 2))
    assert error in capfd.readouterr().err


class Fake:
    """Stands in for processes, and keeps how much memory ran side by side."""

    def __init__(self) -> None:
        self.running: list[int] = []
        self.seen: list[tuple[int, ...]] = []

    def start(self, task: Task[Any]) -> Any:
        ours, theirs = multiprocessing.Pipe()
        theirs.send(("result", task.title))
        self.running.append(task.peak_bytes)
        self.seen.append(tuple(self.running))
        fake = self

        class Process:
            other_end = theirs

            def join(self) -> None:
                fake.running.remove(task.peak_bytes)

        return ours, Process()


@pytest.mark.parametrize(
    ("sizes", "processes", "most", "seen"),
    [
        # Largest first, two processes, memory for all
        ((1, 3, 2), 2, 9, [(3,), (3, 2), (2, 1)]),
        # 3 and 2 are more than 4: the 1 comes beside the 3
        ((1, 3, 2), 2, 4, [(3,), (3, 1), (1, 2)]),
        # Never two at a time where one takes all
        ((4, 4), 2, 4, [(4,), (4,)]),
        # One that is larger than all there is runs alone
        ((1, 9), 2, 4, [(9,), (1,)]),
        ((1, 1, 1), 3, 9, [(1,), (1, 1), (1, 1, 1)]),
    ],
)
def test_no_more_run_at_a_time_than_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[int, ...],
    processes: int,
    most: int,
    seen: list[tuple[int, ...]],
) -> None:
    fake = Fake()
    monkeypatch.setattr(neurt.grid.side_by_side, "_start", fake.start)
    monkeypatch.setattr(neurt.grid.side_by_side, "wait", lambda connections: connections[:1])
    tasks = [Task(str(i), Sent(), peak_bytes=size) for i, size in enumerate(sizes)]
    found = dict(side_by_side(named(*tasks), processes, most))
    assert found == {task.title: task.title for task in tasks}
    assert fake.seen == seen


def test_a_process_that_is_used_again_does_one_task_after_the_other() -> None:
    # Each says in which process it was done: the standard library's way to call without arguments
    tasks: list[Task[Any]] = [
        Task(name, partial(next, starmap(os.getpid, [()]))) for name in "abcd"
    ]
    apart, together = (
        dict(side_by_side(named(*tasks), 2, reuse=reuse)).values() for reuse in (False, True)
    )
    assert len(set(apart)) == 4
    assert len(set(together)) <= 2
    tasks[1] = Task("the deadly one", Sent(signal.raise_signal, signal.SIGKILL))
    with pytest.raises(ProcessKilledError, match="of the deadly one was killed by signal 9"):
        list(side_by_side(named(*tasks), 2, reuse=True))
