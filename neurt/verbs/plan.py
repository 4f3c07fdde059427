"""`plan`: the same table in closed form."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hwmodels import HardwareProfile
from neurt.requests.passes import PlanRequest
from neurt.verbs.console import Notes, check_free, print_files, say_idle_prices
from neurt.verbs.count import report_count
from neurt.verbs.profile import report


def run(request: PlanRequest, console: Console) -> list[Path]:
    """Plan, write and print; returns the files."""
    from neurt.measure.planning_analog import is_analog_alone

    profiles = request.profiles()
    if request.is_sweep and profiles[0].whole_chip is None:
        return _sizes(request, console)
    if profiles[0].whole_chip is not None:
        files = _serve(request, profiles, console)
    else:
        files = (_analog if is_analog_alone(request) else _both)(request, console)
    return files + (_memory(request, console) if request.memory else [])


def _sizes(request: PlanRequest, console: Console) -> list[Path]:
    """One table over several batches and contexts."""
    from neurt.measure.planning import now, versions
    from neurt.measure.sizes import beyond_of, bills_of, run_sizes
    from reports.sizes.table import print_sizes
    from reports.sizes.write import write_sizes

    check_free(request.out, "sizes.json", "table over sizes (sizes.json)", request.force)
    grids, notes = run_sizes(request), Notes(console)
    asked = request.model_dump(mode="json", exclude={"out", "hw"}, exclude_none=True)
    record = {"settings": asked, "versions": versions(), "created": now()}
    files = write_sizes(grids, record, request.out, pictures=request.pictures)
    print_sizes(grids, console)
    for sentence in beyond_of(request):
        notes(sentence)
    if request.set:  # what is counted is the same at each size
        bills = bills_of(request.points[0])
        say_idle_prices(request, bills, notes)
    print_files(files, request.out, console)
    return files


def _memory(request: PlanRequest, console: Console) -> list[Path]:
    """What each command needs for the model."""
    from neurt.loading.sizes import resolve_sizes
    from neurt.measure.needs import needs_table
    from neurt.measure.planning import known_shape
    from reports.kit.files import write_text
    from reports.kit.table import print_table

    table = needs_table(request, known_shape(resolve_sizes(request.model)))
    console.print()
    print_table(table, console)
    return [write_text(request.out / "memory.csv", table.to_csv())]


def _both(request: PlanRequest, console: Console) -> list[Path]:
    from neurt.measure.planning import run_plan
    from reports.card.of_run import run_card
    from reports.card.write import write_card

    check_free(request.out, "run.json", "run", request.force)
    planned = run_plan(request)
    card = run_card(planned, request.carbon_intensity) if request.card else None
    return report(planned, request, console) + write_card(card, request.out)


def _analog(request: PlanRequest, console: Console) -> list[Path]:
    from neurt.measure.planning_analog import run_analog_plan

    check_free(request.out, "count.json", "count", request.force)
    return report_count(run_analog_plan(request), request, console)


def _serve(
    request: PlanRequest, profiles: tuple[HardwareProfile, ...], console: Console
) -> list[Path]:
    from neurt.measure.planning import now, versions
    from neurt.measure.serving import run_servers
    from reports.card.of_server import server_card
    from reports.card.write import write_card
    from reports.serving.batches import print_batches
    from reports.serving.served import print_servers
    from reports.serving.write import write_servers

    check_free(request.out, "serving.json", "prediction (serving.json)", request.force)
    servers = [server for point in request.points for server in run_servers(point, profiles)]
    card = (
        server_card(servers, versions(), now(), request.carbon_intensity) if request.card else None
    )
    files = [
        *write_servers(servers, request.out, request.pictures),
        *write_card(card, request.out),
    ]
    if request.is_sweep:
        print_batches(servers, console)
    else:
        print_servers(servers, console, details=request.details)
    print_files(files, request.out, console)
    return files
