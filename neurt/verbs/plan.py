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
    from reports.card.of_run import run_card
    from reports.card.write import write_card

    check_free(request.out, "run.json", "run", request.force)
    planned = run_plan(request)
    card = run_card(planned, request.carbon_intensity) if request.card else None
    return report(planned, request, console) + write_card(card, request.out)
