from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from neurt.grid import grid
from neurt.grid.grid import work_through
from neurt.grid.side_by_side import Task
from neurt.progress import silent


class Kept(dict[str, int]):
    def put(self, key: str, result: int) -> None:
        self[key] = result


def said(
    monkeypatch: pytest.MonkeyPatch, points: int, workers: int | None, seconds: float
) -> list[str]:
    """What a grid says whose first point takes so long."""
    clock = iter([0.0, seconds])
    monkeypatch.setattr(grid, "monotonic", lambda: next(clock))
    tasks = {str(i): Task[int | str](str(i), lambda _progress: 7) for i in range(points)}
    lines: list[str] = []

    def engine(missing: Mapping[str, Task[int | str]]) -> Iterator[tuple[str, int | str]]:
        yield from ((key, task.work(silent)) for key, task in missing.items())

    store, out = Kept(), Path("out")
    work_through(tasks, store, engine, "working", out, silent, lines.append, workers)
    assert len(store) == points
    return lines


@pytest.mark.parametrize(
    ("points", "workers", "seconds", "line"),
    [
        # 11 others, one after the other: 11 x 30 s
        (12, 1, 30.0, "The first of 12 points took 30 s; the others take about 6 min."),
        # 12 points in 6 rounds of two, of which one is done: 5 x 600 s
        (12, 2, 600.0, "The first of 12 points took 10 min; the others take about 50 min."),
        (100, 4, 900.0, "The first of 100 points took 15 min; the others take about 6.0 h."),
        (2, 2, 0.2, "The first of 2 points took 1 s; the others take about 1 s."),
    ],
)
def test_after_the_first_point_it_is_said_how_long_the_others_take(
    monkeypatch: pytest.MonkeyPatch, points: int, workers: int, seconds: float, line: str
) -> None:
    assert said(monkeypatch, points, workers, seconds) == [line]


@pytest.mark.parametrize(("points", "workers"), [(1, 1), (3, None)])
def test_nothing_is_said_where_nothing_is_known_or_left(
    monkeypatch: pytest.MonkeyPatch, points: int, workers: int | None
) -> None:
    assert said(monkeypatch, points, workers, 5.0) == []
