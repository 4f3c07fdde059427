"""`reproduce`: the published table, measured."""

from __future__ import annotations

from rich.console import Console

from neurt.requests.reproduce import ReproduceRequest
from neurt.verbs.console import print_files, say


def run(request: ReproduceRequest, console: Console) -> object:
    """Measure what is missing, write and print; returns the rows."""
    from neurt.grid.reproduce import run_reproduce
    from reports.kit.progress import progress_bars
    from reports.reproduce.table import print_reproduction, write_reproduction

    with progress_bars(console) as progress:
        reproduction = run_reproduce(request, progress, say=say(console))
    files = write_reproduction(reproduction, request.out, pictures=request.pictures)
    print_reproduction(reproduction, console)
    print_files(files, request.out, console)
    return {"reproduce": reproduction.table}
