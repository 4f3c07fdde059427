"""Points on a Ray cluster of two machines, both of them this one, and what is lost with either."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from neurt.grid import cluster, reaching
from neurt.grid.cluster import on_ray, wherever
from neurt.grid.grid import GridError, work_through
from neurt.grid.reaching import LISTENS_WITHIN_S, REACHED_WITHIN_S, ClusterError
from neurt.grid.side_by_side import Task
from neurt.progress import Progress, silent
from neurt.requests.cluster import Clustered
from neurt.requests.evaluate import EvaluateRequest

pytestmark = [
    pytest.mark.usefixtures("alone"),
    pytest.mark.skipif(find_spec("ray") is None, reason="the package ray is not installed"),
]

GIB = 2**30
SHIPPED = EvaluateRequest(model="gpt2-nano")


class Kept(dict[str, int]):
    """What is kept, as points are."""

    def put(self, key: str, result: int) -> None:
        assert key not in self  # nothing is done twice once it is kept
        self[key] = result


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster whose head works on nothing; each test adds the machines that it wants."""
    import ray
    from ray.cluster_utils import Cluster

    if tuple(map(int, ray.__version__.split(".")[:2])) < (2, 60):
        pytest.skip("of machines with one address, an older Ray attaches this process to any")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # Ray writes a token there
        patch.setenv("PYTHONPATH", os.pathsep.join([*_paths_of_tests(), *_paths()]))
        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "memory": GIB, "include_dashboard": False},
        )
        try:
            yield made
        finally:
            made.shutdown()


def _paths_of_tests() -> list[str]:
    # What a worker is given lives in this file, which it imports by its whole name.
    return [str(Path(__file__).parents[3]), str(Path(__file__).parent)]


def _paths() -> list[str]:
    found = os.environ.get("PYTHONPATH")
    return [found] if found else []


def twice(number: int, progress: Progress) -> int | str:
    progress("doubling", 1, 2)
    return 2 * number


def stubborn(number: int, begun: Path, progress: Progress) -> int | str:
    """Never ends where it is begun first; says which raylet that is."""
    if not begun.exists():
        begun.write_text(f"{os.getpid()} {os.getppid()}", encoding="utf-8")
        time.sleep(3600)
    return twice(number, progress)


def deadly(_number: int, _progress: Progress) -> int | str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "not reached"


def tasks(*work: Callable[[Progress], int | str]) -> dict[str, Task[int | str]]:
    return {str(i): Task(f"point {i}", each, 2**20, ("doubling",)) for i, each in enumerate(work)}


def work(given: dict[str, Task[int | str]], address: str, store: Kept, **how: Any) -> list[int]:
    told = how.pop("progress", silent)
    engine = partial(on_ray, request=Clustered(ray=address, **how), progress=told)
    return work_through(given, store, engine, "doubling", Path("out"), told, silent)


def added(machines: Any, **what: Any) -> Any:
    return machines.add_node(**{"num_cpus": 1, "memory": GIB} | what)


def when(begun: Path, do: Callable[[int, int], None]) -> Thread:
    """Once a point has begun somewhere, do something with its process and its raylet."""

    def wait() -> None:
        while not begun.exists() or not begun.read_text(encoding="utf-8"):
            time.sleep(0.05)
        worker, raylet = map(int, begun.read_text(encoding="utf-8").split())
        do(worker, raylet)

    thread = Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_machine_that_is_killed_loses_no_finished_point(machines: Any, tmp_path: Path) -> None:
    nodes = [added(machines), added(machines)]
    begun = tmp_path / "begun"
    others: list[str] = []

    def kill(_worker: int, raylet: int) -> None:
        while len(store) < 2:  # the other machine has done some
            time.sleep(0.05)
        others.extend(store)
        [lost] = [
            node
            for node in nodes
            if raylet in [it.process.pid for it in node.all_processes["raylet"]]
        ]
        nodes.remove(lost)
        machines.remove_node(lost, allow_graceful=False)

    store = Kept()
    told: list[tuple[str, int, int]] = []
    thread = when(begun, kill)
    given = tasks(partial(stubborn, 0, begun), *(partial(twice, i) for i in range(1, 6)))
    found = work(given, machines.address, store, progress=lambda *done: told.append(done))
    thread.join()
    assert found == [0, 2, 4, 6, 8, 10]
    assert dict(store) == {str(i): 2 * i for i in range(6)}
    assert len(others) >= 2
    assert [done for what, done, _ in told if what == "doubling"] == list(range(7))
    # One of two steps is half of a point.
    assert ("worker 1 (% of a point)", 50, 100) in told
    machines.remove_node(nodes[0])


def test_a_worker_that_is_killed_is_begun_again_but_not_forever(
    machines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once is forgiven; a point that kills each worker fails alone.
    monkeypatch.setattr(cluster, "RETRIES", 1)
    node, store = added(machines), Kept()
    begun = tmp_path / "begun"
    thread = when(begun, lambda worker, _raylet: os.kill(worker, signal.SIGKILL))
    given = tasks(partial(stubborn, 4, begun), partial(deadly, 0), partial(twice, 1))
    with pytest.raises(GridError) as caught:
        work(given, machines.address, store)
    thread.join()
    said = str(caught.value)
    assert said.startswith("1 of 3 points failed, first point 1: its worker was lost 2 times, at ")
    assert said.endswith("run the same command again when the cause is gone")
    assert "\n" not in said
    assert dict(store) == {"0": 8, "2": 2}
    machines.remove_node(node)


@pytest.mark.parametrize(
    ("how", "asked"),
    [
        ({"gpus_per_point": 2, "cpus_per_point": 3}, "3 CPUs, 2 GPUs, 0.0 GiB"),
        ({}, "1 CPUs, 0 GPUs, 3.0 GiB"),
    ],
    ids=["GPUs", "memory"],
)
def test_a_point_for_which_no_machine_has_room_is_said(
    machines: Any, how: dict[str, Any], asked: str
) -> None:
    # Two machines: a head without a core for work, and one with one core, of 1 GiB each.
    node = added(machines)
    given = {"0": Task[int | str]("a point", partial(twice, 0), 2**20 if how else 3 * GIB)}
    with pytest.raises(ClusterError) as caught:
        work(given, machines.address, Kept(), **how)
    assert str(caught.value) == (
        f"a point needs {asked} on one machine of the Ray cluster, where the most is 1 CPUs, "
        "0 GPUs, 1.0 GiB; lower --cpus-per-point or --gpus-per-point, or add a larger machine"
    )
    machines.remove_node(node)


def test_the_machines_of_points_that_are_all_lost_are_not_waited_for_forever(
    machines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 2)
    node = added(machines)
    begun = tmp_path / "begun"
    thread = when(begun, lambda *_: machines.remove_node(node, allow_graceful=False))
    with pytest.raises(GridError) as caught:
        work(tasks(partial(stubborn, 0, begun)), machines.address, Kept())
    thread.join()
    assert str(caught.value) == (
        "the Ray cluster failed: it has lost the machines for these points; the points that are "
        "done are kept in 'out', run the same command again"
    )


def test_a_worker_with_another_program_is_said(
    machines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = cluster.program()
    monkeypatch.setattr(cluster, "program", lambda: ours | {"torch": "1.0"})
    node = added(machines)
    with pytest.raises(GridError) as caught:
        work(tasks(partial(twice, 0)), machines.address, Kept())
    assert f"has torch {ours['torch']}, not 1.0 as the machine that asks; install the same" in str(
        caught.value
    )
    machines.remove_node(node)


# Addresses


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:9", "[Errno 111] Connection refused"),
        ("ray://127.0.0.1:9", "[Errno 111] Connection refused"),
        ("nonsense", ""),  # each Ray has its own words
    ],
)
def test_a_cluster_that_is_not_there_is_said(address: str, why: str) -> None:
    with pytest.raises(ClusterError) as caught:
        list(on_ray(tasks(partial(twice, 0)), Clustered(ray=address)))
    assert str(caught.value).startswith(f"no Ray cluster at '{address}': {why}")
    assert str(caught.value).endswith("; start one (ray start --head), or give --ray local")


def test_another_program_at_the_address_is_given_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody listens who is not Ray, which itself would try for two minutes.
    waited: list[float] = []

    def run(_command: list[str], *, timeout: float, **_: Any) -> None:
        waited.append(timeout)
        raise subprocess.TimeoutExpired("ray", timeout)

    monkeypatch.setattr(reaching.subprocess, "run", run)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError) as caught:
            list(on_ray(tasks(partial(twice, 0)), Clustered(ray=address)))
    assert str(caught.value) == (
        f"no Ray cluster at '{address}': it does not answer within 15 s (is what listens there "
        "Ray?); start one (ray start --head), or give --ray local"
    )
    assert waited == [REACHED_WITHIN_S - LISTENS_WITHIN_S]
    assert REACHED_WITHIN_S < 20


def test_files_of_a_request_are_found_from_elsewhere(trained: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(trained.parent)
    point = EvaluateRequest(model=trained.name, hw=("45nm", "own.toml"), text=Path("text.txt"))
    found = wherever(point, Clustered(ray="local"))
    here = trained.parent.resolve()
    assert found.model == str(here / trained.name)
    assert found.hw == ("45nm", str(here / "own.toml"))
    assert (found.text, found.calibration) == (here / "text.txt", None)
    assert wherever(SHIPPED, Clustered()).model == "gpt2-nano"


def test_a_point_that_was_given_no_gpu_takes_none() -> None:
    assert wherever(SHIPPED, Clustered()).device == "cpu"
    assert wherever(SHIPPED, Clustered(gpus_per_point=0.5)).device == "auto"
    cuda = SHIPPED.model_copy(update={"device": "cuda"})  # whoever asks for it knows why
    assert wherever(cuda, Clustered()).device == "cuda"
