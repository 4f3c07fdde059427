"""`plan`: the same table in closed form."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.requests.passes import PlanRequest
from neurt.verbs.console import check_free
from neurt.verbs.profile import report


def run(request: PlanRequest, console: Console) -> list[Path]:
    """Plan, write and print; returns the files."""
    from neurt.measure.planning import run_plan

    check_free(request.out, "run.json", "run", request.force)
    return report(run_plan(request), request, console)
