"""What runs for `reproduce`: from parsed flags to tables and files."""

from __future__ import annotations

import argparse
from pathlib import Path


def run(request: argparse.Namespace) -> None:
    """Measure what is missing, print the table and write it to a directory.

    Raises:
        OutputError: If the directory cannot be written.
        GridError: If the table cannot be made.
    """
    # Late, so that a command waits only for what it needs.
    from neurt.grid.reproduce import run_reproduce
    from neurt.requests.reproduce import ReproduceRequest
    from neurt.verbs.console import terminal_console
    from reports.kit.files import check_directory
    from reports.kit.progress import progress_bars
    from reports.reproduce.table import print_reproduction
    from reports.reproduce.write import write_reproduction

    console = terminal_console()
    given = {key: value for key, value in vars(request).items() if key != "run"}
    directory = check_directory(request.out or Path("runs") / "reproduce")
    asked = ReproduceRequest(**given | {"out": directory})
    with progress_bars(console) as progress:
        found = run_reproduce(asked, progress, say=lambda line: console.print(line, markup=False))
    print_reproduction(found, console)
    files = write_reproduction(found, directory)
    names = ", ".join(path.name for path in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)
