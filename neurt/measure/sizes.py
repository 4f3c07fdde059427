"""The verb `plan` over several batches and contexts: one closed form for each pair. No torch."""

from __future__ import annotations

from collections.abc import Callable

from energy import Estimate
from energy.bill.both import dataflow_of
from hwmodels import Op
from neurt.closed_form.passes import beyond
from neurt.loading.sizes import resolve_sizes
from neurt.measure.planning import known_shape, run_plan
from neurt.measure.planning_analog import is_analog_alone, run_analog_plan
from neurt.requests.passes import PlanRequest
from reports.kit.parts import BOUNDS
from reports.sizes.grid import Bill, Cell, SizeGrid
from reports.views.phases import phase_bills

_Bills = Callable[[str], Bill]


def run_sizes(request: PlanRequest) -> tuple[SizeGrid, ...]:
    """Energy per token at each batch and context, for each hardware.

    Raises:
        PlanError: If the model has fewer positions than a context, or its sizes are not at hand.
        RequestError: If something is asked of a spiking model that is not planned.
    """
    points = request.points
    planned = _analog if is_analog_alone(points[0]) else _both
    grids = [planned(point) for point in points]
    return tuple(
        SizeGrid(**{**vars(first), "cells": tuple(grid[i].cells[0] for grid in grids)})
        for i, first in enumerate(grids[0])
    )


def beyond_of(request: PlanRequest) -> tuple[str, ...]:
    """Says that the longest context is beyond the positions of a model, without a period."""
    shape = known_shape(resolve_sizes(request.model))
    return beyond(max(map(_context, request.points)), shape.positions, request.model)


def bills_of(point: PlanRequest) -> list[Estimate]:
    """All bills of one size."""
    if is_analog_alone(point):
        return [*run_analog_plan(point).estimates.values()]
    return [bill for pair in run_plan(point).estimates.values() for bill in pair]


def _context(point: PlanRequest) -> int:
    """Tokens attended to, of a sequence, or of prompt and answer together."""
    if point.prompt is not None and point.generate is not None:
        return point.prompt + point.generate
    [stage] = point.stages
    [step] = stage.passes
    return step.keys


def _name(point: PlanRequest) -> str:
    """What was run: the phase, or the whole request."""
    return point.phase_name if len(point.stages) > 1 else point.stages[0].name


def _both(point: PlanRequest) -> list[SizeGrid]:
    """One cell of each hardware, both models."""
    run = run_plan(point)
    made = []
    for profile in run.profiles:
        phase = phase_bills(run, profile.name)[-1]  # of a request that of all its phases

        def share(bill: Estimate, phase=phase) -> float | None:  # type: ignore[no-untyped-def]
            return None if bill.lacks_compute else phase.per_token(bill.energy_pj())

        bills = {
            bound: Bill(share(phase.asa.under(bound)), share(phase.ssa.under(bound)))
            for bound in BOUNDS
        }
        missing = [op for op in Op if any(op in side.unpriced for side in (phase.asa, phase.ssa))]
        made.append(
            SizeGrid(
                profile,
                dataflow_of(phase.asa, phase.ssa),
                _name(point),
                run.title,
                (Cell(run.asa.batch, _context(point), bills, tuple(map(str, missing))),),
                run.asa.model,
                run.asa.weights,
                run.ssa.timesteps,
                point.spike_rate,
            )
        )
    return made


def _analog(point: PlanRequest) -> list[SizeGrid]:
    """The same of a model that is planned alone."""
    run = run_analog_plan(point)
    counts = run.counts
    # A request is shared by the tokens of its answer, as in the plan of one.
    answers = counts.batch * (point.generate or 1)
    tokens = answers if len(point.stages) > 1 else counts.tokens
    made = []
    for profile in run.profiles:
        bill = run.estimates[profile.name]
        bills = {
            bound: Bill(None if bill.lacks_compute else bill.under(bound).energy_pj() / tokens)
            for bound in BOUNDS
        }
        missing = tuple(str(op) for op in Op if op in bill.unpriced)
        cell = Cell(counts.batch, _context(point), bills, missing)
        made.append(
            SizeGrid(
                profile,
                str(profile.dataflow),
                _name(point),
                run.title,
                (cell,),
                counts.model,
                counts.weights,
            )
        )
    return made
