"""`hw fit`: from a table of measured servers to the prices of a whole chip. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple

from energy.serving.columns import SIZES
from energy.serving.fit import Fit, fit
from energy.serving.measured import Measured, MeasuredError, read_measured
from energy.serving.otherwise import Otherwise, otherwise
from energy.serving.points import Point
from energy.sheet import Say, listed
from energy.words import percent
from hwmodels.errors import UserError
from hwmodels.wholechip import Work
from neurt.closed_form.serving import BITS
from neurt.closed_form.sized import SizedModel
from neurt.measure.served_models import ServedModel, served_model
from neurt.progress import Progress, silent
from neurt.requests.measured import OTHERS, PROMPT, PROMPTS, FitRequest
from reports.serving.profile_text import About

#: Points of one GPU that are used. What a fit does not know is how models differ, of which more
#: points of the same ones say nothing.
MOST_POINTS = 5_000

#: Bytes that a file system takes for a name.
_LONGEST_NAME = 255


class Fitted(NamedTuple):
    """A fit, and what of it is no number."""

    fit: Fit
    parameters: Mapping[str, tuple[float, float]]  #: active and total ones of the models
    prompts: Mapping[str, float]  #: tokens that were assumed, by task
    otherwise: tuple[Otherwise, ...]  #: the same with one thing that was assumed otherwise


def run_fit(request: FitRequest, say: Say, progress: Progress = silent) -> Fitted:
    """Read a table and fit prices.

    Raises:
        MeasuredError: If the table cannot be used, or names a model of which nothing is known.
        FitError: If its points are too few, or all of one model.
    """
    request.check()
    progress("reading points", 0, 1)
    rows = _thinned(_of_one_gpu(read_measured(request.measured, say), request), say)
    prompts = _prompts(rows, request, say)
    progress("reading points", 1, 1)
    known = _models(rows, request.measured)
    points = _points(rows, known, prompts)
    narrow = {name: x for (name, *_), x in known.items() if x.narrowest < BITS}
    if narrow:
        say(
            f"weights narrower than {BITS} bits ({listed(narrow)}) count as fewer bytes; "
            "multiply-accumulates of all widths have one price"
        )
    sizes = {
        model: (found.active, found.total)
        for (model, *_), found in known.items()
        if found.active is not None and found.total is not None
    }
    found = fit(points, seed=request.seed, tell=partial(progress, "fitting"))
    return Fitted(found, sizes, prompts, tuple(_otherwise(rows, known, prompts, found)))


_Key = tuple[str, str, str]


def _key(row: Measured) -> _Key:
    return row.model, row.config, row.precision


def _models(rows: Sequence[Measured], path: Path) -> dict[_Key, ServedModel]:
    """The models of all rows, whose GPUs can share them."""
    known: dict[_Key, ServedModel] = {}
    for row in rows:
        if _key(row) not in known:
            known[_key(row)] = _known(row, path)
        _check_gpus(row, known[_key(row)], path)
    return known


def _points(
    rows: Sequence[Measured], known: Mapping[_Key, ServedModel], prompts: Mapping[str, float]
) -> list[Point]:
    return [
        _point(row, known[_key(row)], prompts[row.task] if row.prompt is None else row.prompt)
        for row in rows
    ]


def _otherwise(
    rows: Sequence[Measured],
    known: Mapping[_Key, ServedModel],
    prompts: Mapping[str, float],
    found: Fit,
) -> Iterator[Otherwise]:
    """The fit as it is, with other lengths of the prompts that were assumed, and without a work."""
    yield otherwise("as it is", found.points)
    for times, words in ((0.5, "half as long"), (2.0, "twice as long")):
        if prompts:
            other = {task: times * tokens for task, tokens in prompts.items()}
            yield otherwise(f"assumed prompts {words}", _points(rows, known, other))
    timed = (found.energy, found.latency, found.step)
    if any(Work.LONG_CONTEXT in target.works for target in timed if target is not None):
        never = {Work.LONG_CONTEXT}
        yield otherwise(f"no price of {Work.LONG_CONTEXT}", found.points, never)


def _check_gpus(row: Measured, model: ServedModel, path: Path) -> None:
    """Raise MeasuredError for GPUs that cannot share the heads of a model that is planned."""
    if model.shape is not None:
        try:
            model.check_gpus(row.gpus, "gpus", MeasuredError)
        except MeasuredError as error:
            raise MeasuredError(
                f"measured points '{path.name}', line {row.line}: {error}"
            ) from error


def _of_one_gpu(rows: Sequence[Measured], request: FitRequest) -> list[Measured]:
    names = list(dict.fromkeys(row.gpu for row in rows))
    if request.gpu is None and len(names) > 1:
        raise MeasuredError(
            f"measured points '{request.measured}' are of several GPUs ({listed(names)}), whose "
            "prices differ; choose one with --gpu"
        )
    found = [row for row in rows if request.gpu in (None, row.gpu)]
    if not found:
        raise MeasuredError(
            f"--gpu {request.gpu} is in no row of '{request.measured}'; there are {listed(names)}"
        )
    return found


def _thinned(rows: list[Measured], say: Say) -> list[Measured]:
    """Rows at even distances where there are very many, the same share of each server's."""
    if len(rows) <= MOST_POINTS:
        return rows
    servers: dict[tuple[object, ...], list[Measured]] = {}
    for row in rows:
        key = row.model, row.config, row.precision, row.task, row.gpus
        servers.setdefault(key, []).append(row)
    chosen = []
    for same in servers.values():
        kept = ceil(len(same) * MOST_POINTS / len(rows))
        chosen += [same[place * len(same) // kept] for place in range(kept)]
    say(
        f"{len(rows):,} points are more than a fit gains from: {len(chosen):,} of them are used, "
        "rows at even distances of each model, task and number of GPUs"
    )
    return sorted(chosen, key=lambda row: row.line)


def _prompts(rows: Sequence[Measured], request: FitRequest, say: Say) -> dict[str, float]:
    """Tokens of a prompt by task, where the rows have none."""
    tasks = dict.fromkeys(row.task for row in rows if row.prompt is None)
    for task in request.prompt:
        if task != OTHERS and task not in tasks:
            raise MeasuredError(
                f"--prompt {task}={request.prompt[task]} has no effect: no row without the tokens "
                f"of a prompt is of that task (they are of: {listed(tasks) or 'none'})"
            )
    said = PROMPTS | dict(request.prompt)
    found = {task: float(said.get(task, said.get(OTHERS, PROMPT))) for task in tasks}
    if found:
        each = ", ".join(f"{tokens:g} ({task or 'any task'})" for task, tokens in found.items())
        say(f"tokens of a prompt are not in the table, and are assumed: {each}")
    return found


def _point(row: Measured, known: ServedModel, prompt: float) -> Point:
    step = known.served.step(row.batch, prompt, row.output, row.gpus)
    return Point(
        row.model, known.architecture, step, row.energy_j, row.latency_s, row.rate, row.task
    )


def _known(row: Measured, path: Path) -> ServedModel:
    """The model of a row: by its sizes, its configuration or its name."""
    if row.sizes:
        return _sized(row, path)
    if len((row.config or row.model).encode()) > _LONGEST_NAME:
        raise MeasuredError(
            f"measured points '{path.name}', line {row.line}: a model of "
            f"{len(row.config or row.model):,} characters is neither a name nor a path"
        )
    where = str(path.parent / row.config) if row.config else row.model
    beside = path.parent / row.model
    if not row.config and beside.suffix == ".json" and beside.is_file():
        where = str(beside)
    try:
        return served_model(where, precision=row.precision)
    except UserError as error:
        raise MeasuredError(
            f"measured points '{path.name}', line {row.line}: {error}; or describe it in columns "
            "size_... (`neurt-energy hw fit --help`)"
        ) from error


def _sized(row: Measured, path: Path) -> ServedModel:
    optional = "size_state_bytes"
    missing = [name for name in SIZES if name not in row.sizes and name != optional]
    if missing:
        raise MeasuredError(
            f"measured points '{path}', line {row.line}: sizes are given, but {listed(missing)} "
            "are not"
        )
    sizes = {name.removeprefix("size_"): value for name, value in row.sizes.items()}
    return ServedModel(row.model, SizedModel(**sizes), row.model, 1, 1)


def about_fit(request: FitRequest, fitted: Fitted, path: Path) -> About:
    """What the profile says of itself; its name is that of the file unless given."""
    made = fitted.fit
    name = request.name or path.stem
    source = request.source or f"measured points '{request.measured.name}'"
    fitted_on = f"{len(made.points)} measured points of {len(made.models)} models"
    title = request.title or f"whole-chip prices fitted on {fitted_on}"
    boundary = request.boundary or "the GPUs alone, without host, network and cooling"
    return About(name, title, source, boundary, _guessed(fitted), request.memory)


def _guessed(fitted: Fitted) -> tuple[str, ...]:
    """What is said of lengths of prompts that nobody has measured."""
    if not fitted.prompts:
        return ()
    each = ", ".join(
        f"{tokens:g} ({task or 'any task'})" for task, tokens in fitted.prompts.items()
    )
    now, *others = fitted.otherwise
    moved = " and ".join(percent(x.energy, 1) for x in others if "prompts" in x.what)
    return (
        f"Tokens of a prompt were not measured: {each} are guesses. With half of them, and with "
        f"twice as many, energy of models left out is off by {moved} in place of "
        f"{percent(now.energy, 1)}.",
    )
