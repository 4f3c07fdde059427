"""Tasks on a Ray cluster, one core each, whose machines see the same files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from socket import create_connection
from typing import Any, TypeVar

from neurt.grid.grid import GridError
from neurt.grid.side_by_side import EngineError, Task
from neurt.progress import silent

Result = TypeVar("Result")


def on_ray(tasks: Mapping[str, Task[Result]], address: str) -> Iterator[tuple[str, Result]]:
    """Do tasks on a cluster.

    Args:
        tasks: What to do, by key.
        address: Of the cluster; `local` starts one here.

    Yields:
        Each key with its result, in the order in which they end.

    Raises:
        GridError: If Ray is not installed, or there is no cluster.
        EngineError: If the cluster fails.
    """
    if find_spec("ray") is None:
        raise GridError(
            "--ray needs the package ray; install it with pip install 'neurt-energy[cluster]'"
        )
    import ray

    host, _, port = address.rpartition(":")
    try:
        if port.isdecimal() and "/" not in host:  # Ray itself would try for minutes
            create_connection((host, int(port)), timeout=5).close()
        ray.init(address=address, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise GridError(f"no Ray cluster at '{address}': {error}") from error
    try:
        remote: Any = ray.remote(num_cpus=1)(_do)
        waiting = {remote.remote(task): key for key, task in tasks.items()}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(ready), ray.get(ready)
    except ray.exceptions.RayError as error:
        if isinstance(error, ray.exceptions.RayTaskError):  # a bug, not a failing cluster
            raise
        raise EngineError(f"the Ray cluster failed: {error}") from error
    finally:
        ray.shutdown()


def _do(task: Task[Result]) -> Result:
    return task.work(silent)
