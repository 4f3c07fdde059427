"""The verb `sweep`: many conversions of one model, side by side, each evaluated once."""

from __future__ import annotations

from functools import partial

from hwmodels.errors import UserError
from neurt.grid.cluster import on_ray, wherever
from neurt.grid.grid import Engine, analog_source, work_through
from neurt.grid.places import named, place_of, say_elsewhere
from neurt.grid.points import Rows, RowsStore, evaluation_decides, evaluation_key
from neurt.grid.side_by_side import Task, by_process, side_by_side, threads_of
from neurt.measure.memory import evaluation_bytes
from neurt.measure.planning import known_shape
from neurt.progress import Progress, Say, silent
from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.sweep import SweepRequest
from neurt.spiking.config import Coded, stored_choices
from reports.kit.files import prepare_directory
from reports.quality.sweep import MEASURED, Sweep

#: What an evaluation does, one after the other.
STAGES = ("loading the model", "converting", "reading")


def run_sweep(request: SweepRequest, progress: Progress = silent, say: Say = silent) -> Sweep:
    """Evaluate every point that has no result yet.

    Results are kept in `points/` of the output directory, one file per point.
    """
    source = analog_source(request.model, "evaluate")
    decides = evaluation_decides(request, source)
    store = RowsStore(prepare_directory(request.out / "points"), MEASURED)
    inside = by_process(progress, STAGES, "a point")
    engine: Engine[Rows] = partial(
        side_by_side, processes=request.jobs, reuse=True, alone=progress, progress=inside
    )
    threads = threads_of(request.jobs)
    if request.ray is not None:
        engine = partial(on_ray, request=request, progress=progress)
        threads = request.cpus_per_point
    shape, place = known_shape(source), place_of(request, source)
    tasks: dict[str, Task[Rows | str]] = {}
    for point in request.points():
        there = point if request.ray is None else wherever(point, request)
        tasks[named(evaluation_key(point, decides), place)] = Task(
            _title(point),
            partial(evaluate_point, there, threads),
            evaluation_bytes(shape, point),
            STAGES,
        )
    say_elsewhere(store.directory, tasks, say)
    workers = request.jobs if request.ray is None else None
    points = work_through(tasks, store, engine, "evaluating", request.out, progress, say, workers)
    priced = [request.siblings(precision).values() for precision in ("int8", "fp16")]
    profiles = (*request.profiles(), *(profile for found in priced for profile in found))
    return Sweep(tuple(row for rows in points for row in rows), profiles)


def evaluate_point(
    point: EvaluateRequest, threads: int | None, progress: Progress = silent
) -> Rows | str:
    """Evaluate one point with so many threads, None for torch's own choice.

    An error that explains itself comes back as its text.
    """
    import torch

    from neurt.evaluation.evaluating import run_evaluate
    from reports.quality.sweep import baseline_points
    from reports.quality.table import quality_table

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        evaluation = run_evaluate(point, progress)
    except UserError as error:
        return str(error)
    chosen = stored_choices(evaluation.conversion)
    extra = {
        "attention_code": str(chosen.code_of_attention),
        "threshold": chosen.threshold,
        "attention_threshold": chosen.threshold_of(Coded.ATTENTION),
        "product_threshold": chosen.threshold_of(Coded.PRODUCT),
        "resolution": chosen.resolution,
        "coders": str(chosen.coders),
        "head": chosen.head,
        "head_threshold": chosen.threshold_of(Coded.HEAD) if chosen.head else None,
        "dead_zone": str(chosen.dead_zone),
        "baseline": "",
    }
    points = [row | extra for row in quality_table(evaluation).records()]
    return [*points, *map(dict, baseline_points(evaluation))]


def _title(point: EvaluateRequest) -> str:
    chosen = point.spiking
    second = "" if "resolution" in chosen.idle else f", resolution {chosen.resolution:g}"
    return (
        f"{chosen.form}, {chosen.code}, T = {chosen.timesteps}, threshold {chosen.threshold:g}"
        f"{second}"
    )
