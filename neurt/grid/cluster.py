"""An engine that does tasks on a Ray cluster. Ray places, retries and hands back; nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from socket import gethostname
from typing import Any, TypeVar

from hwmodels.catalog import profile_names
from neurt.grid.points import program
from neurt.grid.reaching import ClusterError, connected, in_a_line
from neurt.grid.side_by_side import EngineError, Task, percent
from neurt.loading.source import resolve
from neurt.progress import Progress, silent
from neurt.requests.base import Model
from neurt.requests.cluster import Clustered

Result = TypeVar("Result")
Asked = TypeVar("Asked", bound=Model)

GIB = 2**30
#: How often a point is begun again after its worker, or the machine of it, was lost.
RETRIES = 3
#: Seconds between two looks at how far the workers are.
_LOOK_S = 0.5
#: Looks without any machine for the points, after which nobody is waited for any longer: a minute.
_PATIENCE = 120


def on_ray(
    tasks: Mapping[str, Task[Result | str]], request: Clustered, progress: Progress = silent
) -> Iterator[tuple[str, Result | str]]:
    """Do tasks on a cluster (`local` starts one here), each with what the request gives a point.

    The memory that is asked for is `Task.peak_bytes`. A task whose worker or machine is lost is
    begun again elsewhere, `RETRIES` times; one that loses them each time has that as its text.

    Args:
        request: The address, and cores and GPUs of a point.
        progress: Told how far each task is that runs, in percent, by the number of a worker.

    Yields:
        Each key with its result, in the order in which they end.

    Raises:
        ClusterError: If Ray is not installed, there is no cluster, or no machine of it has room
            for a point.
        EngineError: If the cluster fails.
    """
    ray = connected(str(request.ray))
    try:
        yield from _placed(ray, tasks, request, progress)
    except ray.exceptions.RayError as error:
        if isinstance(error, ray.exceptions.RayTaskError):  # a bug, not a failing cluster
            raise
        raise EngineError(f"the Ray cluster failed: {in_a_line(error)}") from error
    finally:
        ray.shutdown()


def _placed(
    ray: Any, tasks: Mapping[str, Task[Result | str]], request: Clustered, progress: Progress
) -> Iterator[tuple[str, Result | str]]:
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cpus, gpus = request.cpus_per_point, request.gpus_per_point
    largest = max(tasks.values(), key=lambda task: task.peak_bytes)
    needed = {"CPU": cpus, "GPU": gpus, "memory": largest.peak_bytes}
    if not _has_room(machines := _machines(ray), needed):
        raise ClusterError(_no_room(machines, largest.title, needed))
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    told = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    remote: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)(_do)
    waiting = {
        remote.options(memory=task.peak_bytes).remote(key, task, program(), told): key
        for key, task in tasks.items()
    }
    shown = _Shown(progress)
    lonely = 0
    while waiting:
        ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK_S)
        for key, share in told.get_nowait_batch(told.qsize()):
            if key in waiting.values():
                shown.tell(key, share)
        for reference in ready:
            key = waiting.pop(reference)
            shown.end(key)
            yield key, _result(ray, reference)
        lonely = 0 if ready or _has_room(_machines(ray), needed) else lonely + 1
        if lonely == _PATIENCE:
            raise EngineError("the Ray cluster failed: it has lost the machines for these points")


def _result(ray: Any, reference: Any) -> Any:
    """What a task gave back, or why there is no worker that could do it."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise
    except (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.LocalRayletDiedError,
        ray.exceptions.OutOfMemoryError,
    ) as error:
        return f"its worker was lost {RETRIES + 1} times, at last so: {in_a_line(error)}"


class _Shown:
    """How far the tasks are that run, one number for each worker that is busy."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._slots: dict[str, int] = {}

    def tell(self, key: str, share: int) -> None:
        free = next(i for i in range(1, len(self._slots) + 2) if i not in self._slots.values())
        slot = self._slots.setdefault(key, free)
        self._progress(f"worker {slot} (% of a point)", share, 100)

    def end(self, key: str) -> None:
        self._slots.pop(key, None)


def _do(
    key: str, task: Task[Result | str], program_asked: Mapping[str, str], told: Any
) -> Result | str:
    """On a worker: do a task, if this is the program that asks for it."""
    if (ours := program()) != program_asked:
        what = next(name for name in ours if ours[name] != program_asked.get(name))
        return (
            f"the worker on {gethostname()} has {what} {ours[what]}, not {program_asked[what]} as "
            "the machine that asks; install the same versions on both"
        )
    from ray.exceptions import RayError

    before = -1

    def progress(what: str, done: int, total: int) -> None:
        nonlocal before
        share = percent(task.stages, what, done, total)
        if share is not None and share != before:
            before = share
            with suppress(RayError):  # nobody is there to hear; the work goes on
                told.put_nowait((key, share))

    return task.work(progress)


def wherever(point: Asked, request: Clustered) -> Asked:
    """The same request for a process that may have another working directory, and its own devices.

    A point that was given no GPU takes none that others were given, whatever torch finds.
    """
    builtin = profile_names()
    source = resolve(point.model)
    local = any((source.adapter, source.directory, source.file)) and not source.shipped

    def placed(name: str, value: Any) -> Any:
        if name == "device" and not request.gpus_per_point:
            return "cpu" if value == "auto" else value
        if name == "model":
            return str(Path(value).resolve()) if local else value
        if name == "hw":
            return tuple(hw if hw in builtin else str(Path(hw).resolve()) for hw in value)
        if name == "objective_hw":
            return value if value is None or value in builtin else str(Path(value).resolve())
        return value.resolve() if isinstance(value, Path) else value

    return point.model_copy(update={name: placed(name, value) for name, value in point})


def _machines(ray: Any) -> list[dict[str, float]]:
    """What each machine of the cluster has in all, whoever uses it now."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _has_room(machines: Sequence[Mapping[str, float]], needed: Mapping[str, float]) -> bool:
    """Whether any machine could ever hold a task."""
    return any(
        all(machine.get(name, 0) >= amount for name, amount in needed.items())
        for machine in machines
    )


def _no_room(
    machines: Sequence[Mapping[str, float]], title: str, needed: Mapping[str, float]
) -> str:
    """Why no machine can hold a task, by what the best of them has."""
    most = {name: max(machine.get(name, 0) for machine in machines) for name in needed}
    words = {"CPU": "CPUs", "GPU": "GPUs"}
    asked, there = (
        ", ".join(
            f"{amount / GIB:.1f} GiB" if name == "memory" else f"{amount:g} {words[name]}"
            for name, amount in values.items()
        )
        for values in (needed, most)
    )
    return (
        f"{title} needs {asked} on one machine of the Ray cluster, where the most is {there}; "
        "lower --cpus-per-point or --gpus-per-point, or add a larger machine"
    )
