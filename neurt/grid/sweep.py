"""The verb `sweep`: many conversions of one model, side by side, each evaluated once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from socket import create_connection
from typing import Any

from hwmodels import load_profiles
from hwmodels.catalog import profile_names
from hwmodels.errors import UserError
from neurt.families import is_converted
from neurt.grid.points import PointError, fingerprint
from neurt.loading.source import ModelSource, read_config, resolve
from neurt.progress import Progress, Say, silent
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.sweep import SweepRequest
from reports.kit.files import prepare_directory, write_text
from reports.quality.sweep import SWEEP, Sweep

#: Rows of one point, one per hardware, by column of `sweep.csv`.
Rows = list[dict[str, Any]]


class SweepError(UserError, RuntimeError):
    """A sweep that cannot be run, or a point of it that failed."""


def run_sweep(request: SweepRequest, progress: Progress = silent, say: Say = silent) -> Sweep:
    """Evaluate every point that has no result yet.

    Results are kept in `points/` of the output directory, one file per point under a name made of
    all that decides it; so a sweep that was interrupted goes on where it was, and a larger one
    takes over the points of a smaller one.

    Args:
        request: What was asked for.
        progress: Told how far the work is.
        say: Given lines that the user must read.

    Raises:
        ModelError: If the model is unknown.
        ProfileError: If a hardware profile cannot be loaded.
        SweepError: If the model is a converted one, the text cannot be read, a result is damaged,
            a point fails (all others are still evaluated), or Ray is asked for and not there.
    """
    source = resolve(request.model)
    if source.directory is not None:
        kind = read_config(source.directory / "config.json").get("model_type")
        if is_converted(kind):
            raise SweepError(
                f"'{request.model}' is a converted model, of which there is one conversion only; "
                "sweep the analog model, or judge this one with neurt-energy evaluate"
            )
    decides = _decides(request, source)
    directory = prepare_directory(request.out / "points")
    points = {directory / _name(point, decides): point for point in request.points()}
    known = {path: _read(path) for path in points if path.exists()}
    missing = {path: point for path, point in points.items() if path not in known}
    if known:
        say(f"{len(known)} of {len(points)} points are known already.")
    progress("evaluating", len(known), len(points))
    failed: list[str] = []
    run = _on_ray if request.ray is not None else _here
    for path, result in run(request, missing):
        if isinstance(result, str):
            failed.append(f"{_title(missing[path])}: {result}")
        else:
            write_text(path, json.dumps(result, indent=1) + "\n")
            known[path] = result
        progress("evaluating", len(known) + len(failed), len(points))
    if failed:
        raise SweepError(
            f"{len(failed)} of {len(points)} points failed, first {failed[0]}; the others are kept "
            f"in '{request.out}', run the same command again when the cause is gone"
        )
    return Sweep(tuple(row for path in points for row in known[path]))


def evaluate_point(point: EvaluateRequest, threads: int | None = None) -> Rows | str:
    """Evaluate one point; an error that explains itself comes back as its text.

    Args:
        point: What to evaluate.
        threads: Threads for torch to use; None to leave that as it is.
    """
    import torch

    from neurt.evaluation.evaluating import run_evaluate
    from reports.quality.table import quality_table

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        rows = quality_table(run_evaluate(point)).records()
    except UserError as error:
        return str(error)
    chosen = point.spiking
    extra = {
        "attention_code": str(chosen.code_of_attention),
        "threshold": chosen.threshold,
        "attention_threshold": chosen.threshold_of_attention,
        "dead_zone": str(chosen.dead_zone),
    }
    return [row | extra for row in rows]


def _here(
    request: SweepRequest, missing: dict[Path, EvaluateRequest]
) -> Iterator[tuple[Path, Rows | str]]:
    """Evaluate in processes of this machine, each with its share of the cores."""
    if request.jobs == 1:
        for path, point in missing.items():
            yield path, evaluate_point(point)
        return
    threads = max(1, (os.cpu_count() or 1) // request.jobs)
    with ProcessPoolExecutor(request.jobs, mp_context=get_context("spawn")) as pool:
        futures = {
            pool.submit(evaluate_point, point, threads): path for path, point in missing.items()
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise SweepError(
                "a process was killed, perhaps for want of memory; the points that are done are "
                f"kept in '{request.out}', run the same command again with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _on_ray(
    request: SweepRequest, missing: dict[Path, EvaluateRequest]
) -> Iterator[tuple[Path, Rows | str]]:
    """Evaluate on a Ray cluster, one core per point, whose machines see the same files."""
    if find_spec("ray") is None:
        raise SweepError(
            "--ray needs the package ray; install it with pip install 'neurt-energy[cluster]'"
        )
    if not missing:
        return
    import ray

    host, _, port = (request.ray or "").rpartition(":")
    try:
        if port.isdecimal() and "/" not in host:  # Ray itself would try for minutes
            create_connection((host, int(port)), timeout=5).close()
        ray.init(address=request.ray, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise SweepError(f"no Ray cluster at '{request.ray}': {error}") from error
    try:
        task: Any = ray.remote(num_cpus=1)(evaluate_point)
        waiting = {task.remote(_absolute(point), 1): path for path, point in missing.items()}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(ready), ray.get(ready)
    except ray.exceptions.RayError as error:
        if isinstance(error, ray.exceptions.RayTaskError):  # a bug, not a failing cluster
            raise
        raise SweepError(
            f"the Ray cluster failed: {error}; the points that are done are kept in "
            f"'{request.out}', run the same command again"
        ) from error
    finally:
        ray.shutdown()


def _absolute(point: EvaluateRequest) -> EvaluateRequest:
    """The same point for a process that may have another working directory."""
    source, builtin = resolve(point.model), profile_names()
    local = (source.directory or source.file) is not None and not source.shipped
    return point.model_copy(
        update={
            "model": str(Path(point.model).resolve()) if local else point.model,
            "hw": tuple(hw if hw in builtin else str(Path(hw).resolve()) for hw in point.hw),
            "text": None if point.text is None else point.text.resolve(),
            "calibration": None if point.calibration is None else point.calibration.resolve(),
        }
    )


def _decides(request: SweepRequest, source: ModelSource) -> str:
    """What decides the results beside the request: model, texts, prices, this program."""
    try:
        digest = hashlib.sha256(fingerprint(source, request.text, request.calibration).encode())
    except PointError as error:
        raise SweepError(str(error)) from error
    for profile in load_profiles(request.hw):
        digest.update(profile.model_dump_json().encode())
    return digest.hexdigest()


def _name(point: EvaluateRequest, decides: str) -> str:
    asked = point.model_dump_json(exclude={"out", "text", "calibration"})
    return hashlib.sha256((asked + decides).encode()).hexdigest()[:24] + ".json"


def _read(path: Path) -> Rows:
    """The rows of a point that is known."""
    try:
        rows: Rows = json.loads(path.read_text(encoding="utf-8"))
        whole = bool(rows) and all(
            {*row, "pareto"} == {column.name for column in SWEEP} for row in rows
        )
    except (OSError, ValueError, TypeError):
        whole = False
    if not whole:
        raise SweepError(
            f"'{path}' is no result of a sweep; delete it and run the same command again"
        )
    return rows


def _title(point: EvaluateRequest) -> str:
    chosen = point.spiking
    return f"{chosen.form}, {chosen.code}, T = {chosen.timesteps}, threshold {chosen.threshold:g}"
