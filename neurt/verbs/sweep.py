"""`sweep`: many conversions of one model."""

from __future__ import annotations

from rich.console import Console

from neurt.requests.sweep import SweepRequest
from neurt.verbs.console import print_files, say


def run(request: SweepRequest, console: Console) -> object:
    """Evaluate what is missing, write and print; returns the rows."""
    from reports.kit.progress import progress_bars

    with progress_bars(console) as progress:
        from neurt.grid.sweep import run_sweep
        from reports.quality.sweep import sweep_table
        from reports.quality.sweep_terminal import print_sweep
        from reports.quality.write import write_sweep

        sweep = run_sweep(request, progress, say=say(console))
    files = write_sweep(sweep, request.out, pictures=request.pictures, fit=request.pictures_fit)
    print_sweep(sweep, console)
    print_files(files, request.out, console)
    return {"sweep": sweep_table(sweep)}
