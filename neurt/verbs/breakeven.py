"""`breakeven`: the spike rates at which spikes stop saving energy."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.requests.breakeven import BreakEvenRequest
from neurt.verbs.console import print_files


def run(request: BreakEvenRequest, console: Console) -> list[Path]:
    """Write the break-evens to a directory and print them; returns the files."""
    from neurt.measure.breakeven import run_breakeven
    from reports.breakeven.table import print_breakeven, write_breakeven
    from reports.kit.files import check_directory

    check_directory(request.out)
    if request.model is None and not request.shapes and request.run is None:
        request = request.model_copy(update={"model": "gpt2-small"})
    cases = run_breakeven(request)
    files = write_breakeven(cases, request.out, pictures=request.pictures)
    print_breakeven(cases, console)
    print_files(files, request.out, console)
    return files
