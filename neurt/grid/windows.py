"""`evaluate --windows-in-parallel`: parts of one evaluation side by side, each read once."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hwmodels.errors import UserError
from neurt.families.parameters import parameters
from neurt.grid.cluster import on_ray, wherever
from neurt.grid.grid import Engine, GridError, work_through
from neurt.grid.places import named, place_of, say_elsewhere
from neurt.grid.points import PlainStore, evaluation_decides, evaluation_key, fingerprint
from neurt.grid.side_by_side import Task, by_process, side_by_side, threads_of
from neurt.loading.source import ModelSource, resolve
from neurt.measure.memory import evaluation_bytes
from neurt.measure.planning import known_shape
from neurt.progress import Progress, Say, silent
from neurt.requests.evaluate import EvaluateRequest
from reports.kit.files import prepare_directory
from reports.quality.evaluation import Evaluation

#: What a part does, one after the other.
STAGES = ("loading the model", "converting", "reading")
#: What every part must be told alike, in the order worth telling, and what it is called.
_ALIKE = {
    "weights": "weights",
    "analog_weights": "weights of the analog model",
    "choices": "conversion",
    "text": "text",
    "calibration": "calibration text",
}


def evaluate_in_parallel(
    request: EvaluateRequest, progress: Progress = silent, say: Say = silent
) -> Evaluation:
    """What `run_evaluate` finds, of parts of the windows that are read side by side.

    Parts are kept in `points/` of the output directory: the same command goes on with the others.

    Raises:
        GridError: If a part fails (all others are still read), or parts are not of one model.
    """
    parts = request.windows_in_parallel
    assert parts is not None
    source = resolve(request.model)
    key = evaluation_key(request, _decides(request, source))
    store = PlainStore(prepare_directory(request.out / "points"))
    engine: Engine[dict[str, Any]] = partial(
        side_by_side,
        processes=parts,
        alone=progress,
        progress=by_process(progress, STAGES, "a part"),
    )
    there, threads = request, threads_of(parts)
    if request.ray is not None:
        engine = partial(on_ray, request=request, progress=progress)
        there, threads = wherever(request, request), request.cpus_per_point
    shape, place = known_shape(source), place_of(request, source)
    peak_bytes = evaluation_bytes(shape, request)
    if source.is_converted:  # beside which the analog model has weights of its own
        peak_bytes += 4 * parameters(shape).total
    tasks = {
        named(f"{key}-{number + 1}-of-{parts}", place): Task(
            f"part {number + 1} of {parts}",
            partial(read_part, there, (number, parts), threads),
            peak_bytes,
            STAGES,
        )
        for number in range(parts)
    }
    say_elsewhere(store.directory, tasks, say)
    found = work_through(tasks, store, engine, "parts of the text", request.out, progress, say)
    for line in dict.fromkeys(line for part in found for line in part["said"]):
        say(line)
    return _joined(request, found)


def read_part(
    request: EvaluateRequest,
    part: tuple[int, int],
    threads: int | None,
    progress: Progress = silent,
) -> dict[str, Any] | str:
    """Read a part of the windows with so many threads, None for torch's own choice.

    An error that explains itself comes back as its text.
    """
    import torch

    from neurt.evaluation.evaluating import measured
    from neurt.evaluation.read import Read, to_plain

    if threads is not None:
        torch.set_num_threads(threads)
    said: list[str] = []
    try:
        facts, read = measured(request, progress, said.append, part)
    except UserError as error:
        return str(error)
    assert isinstance(read, Read)  # a model that is streamed is not read in parts
    plain: dict[str, Any] = json.loads(json.dumps(to_plain(facts, read) | {"said": said}))
    return plain  # the same whether it was kept meanwhile or not


def _decides(request: EvaluateRequest, source: ModelSource) -> str:
    """What decides the parts beside the request; the analog model beside a converted one, too."""
    beside = request.baseline
    if beside is None and source.is_converted and source.directory is not None:
        own = source.directory / "analog"
        beside = own if (own / "config.json").is_file() else None
    of_analog = "" if beside is None else fingerprint(resolve(str(beside)))
    return evaluation_decides(request, source) + of_analog


def _joined(request: EvaluateRequest, parts: list[dict[str, Any]]) -> Evaluation:
    """The evaluation that parts of the text make together."""
    from neurt.evaluation.describing import described
    from neurt.evaluation.read import from_plain, joined

    (first, *_), reads = zip(*map(from_plain, parts), strict=True)
    for number, part in enumerate(parts, 1):
        for name, called in _ALIKE.items():
            ours, theirs = parts[0]["facts"][name], part["facts"][name]
            if ours != theirs:
                raise GridError(
                    f"part {number} of the text was read with another {called} than part 1 "
                    f"({theirs}, not {ours}): machines do not see the same files; make them, and "
                    f"delete '{request.out / 'points'}'"
                )
    return described(request, first, joined(reads))
