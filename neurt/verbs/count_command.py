"""What runs for `count`: from parsed flags to tables and files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path


def run(request: argparse.Namespace) -> None:
    """Count a model, price it, print and write both.

    Raises:
        OutputError: If the directory holds a run, or cannot be written.
        ValueError: See `neurt.measure.counting.run_count`.
    """
    # Late, so that a command waits only for what it needs.
    from neurt.verbs.console import terminal_console
    from reports.kit.files import OutputError, check_directory
    from reports.kit.progress import progress_bars

    console = terminal_console()
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-count-{Path(request.model).name or 'model'}"
    out = check_directory(request.out or Path("runs") / name)
    if (out / "run.json").exists():
        raise OutputError(f"output directory '{out}' holds a run of profile; choose another --out")
    if (out / "count.json").exists() and not request.force:
        raise OutputError(
            f"output directory '{out}' already holds a count; choose another --out, or --force to "
            "replace it"
        )
    with progress_bars(console) as progress:
        from neurt.measure.counting import run_count
        from neurt.requests.passes import ProfileRequest

        given = {key: value for key, value in vars(request).items() if key not in ("run", "force")}
        asked = ProfileRequest(**given | {"hw": tuple(request.hw), "out": out})
        counted = run_count(asked, progress, lambda line: console.print(line, markup=False))
    from reports.count.terminal import print_count
    from reports.count.write import write_count

    print_count(counted, console)
    files = ", ".join(path.name for path in write_count(counted, out))
    console.print(f"\nWritten to {out}: {files}", markup=False)
    words = " ".join(f"--hw {hw}" for hw in request.hw)
    console.print(f"Price it again:  neurt-energy price {out / 'counts.csv'} {words}", markup=False)
