"""`breakeven`: the spike rates at which spikes stop saving energy."""

from __future__ import annotations

from rich.console import Console

from neurt.requests.breakeven import BreakEvenRequest
from neurt.verbs.console import Notes, check_free, print_files


def run(request: BreakEvenRequest, console: Console) -> object:
    """Write the break-evens to a directory and print them; returns the rows."""
    from neurt.measure.breakeven import run_breakeven
    from reports.breakeven.table import breakeven_table, thresholds_table
    from reports.breakeven.terminal import print_breakeven
    from reports.breakeven.write import write_breakeven

    record, reads = "breakeven.csv", [request.run] if request.run else []
    check_free(request.out, record, f"break-even ({record})", request.force, reads)
    if request.model is None and not request.shapes and request.run is None:
        request = request.model_copy(update={"model": "gpt2-small"})
    notes = Notes(console)
    cases = run_breakeven(request, notes)
    files = write_breakeven(cases, request.out, pictures=request.pictures, fit=request.pictures_fit)
    print_breakeven(cases, console)
    print_files(files, request.out, console)
    return {
        "breakeven": breakeven_table(cases),
        "thresholds": thresholds_table(),
        "notes": notes,
    }
