"""`hw fit`: from a table of measured servers to the prices of a whole chip. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from energy.serving.columns import SIZES
from energy.serving.fit import Fit, fit
from energy.serving.measured import Measured, MeasuredError, read_measured
from energy.serving.points import Point
from energy.sheet import Say, listed
from hwmodels.errors import UserError
from neurt.closed_form.serving import SizedModel
from neurt.measure.served_models import ServedModel, served_model
from neurt.requests.measured import OTHERS, PROMPT, PROMPTS, FitRequest
from reports.serving.profile_text import About

#: Bytes that a file system takes for a name.
_LONGEST_NAME = 255


class Fitted(NamedTuple):
    """A fit, and what of it is no number."""

    fit: Fit
    parameters: Mapping[str, tuple[float, float]]  #: active and total ones of the models
    prompts: Mapping[str, float]  #: tokens that were assumed, by task


def run_fit(request: FitRequest, say: Say) -> Fitted:
    """Read a table and fit prices.

    Raises:
        MeasuredError: If the table cannot be used, or names a model of which nothing is known.
        FitError: If its points are too few, or all of one model.
    """
    request.check()
    rows = _of_one_gpu(read_measured(request.measured, say), request)
    prompts = _prompts(rows, request, say)
    known: dict[tuple[str, str, str], ServedModel] = {}
    points = []
    for row in rows:
        key = row.model, row.config, row.precision
        if key not in known:
            known[key] = _known(row, request.measured)
        prompt = prompts[row.task] if row.prompt is None else row.prompt
        points.append(_point(row, known[key], prompt))
    sizes = {
        model: (found.active, found.total)
        for (model, *_), found in known.items()
        if found.active is not None and found.total is not None
    }
    return Fitted(fit(points, seed=request.seed), sizes, prompts)


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
    prompts = ", ".join(
        f"{tokens:g} ({task or 'any task'})" for task, tokens in fitted.prompts.items()
    )
    assumed = (f"Tokens of a prompt were not measured: {prompts} assumed.",) if prompts else ()
    boundary = request.boundary or "the GPUs alone, without host, network and cooling"
    return About(name, title, source, boundary, assumed, request.memory)
