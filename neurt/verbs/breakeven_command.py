"""What runs for `breakeven`: from parsed flags to tables and files."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path


def run(request: argparse.Namespace) -> None:
    """Print the break-evens and write them to a directory.

    Raises:
        OutputError: If the directory cannot be written.
    """
    # Late, so that a command waits only for what it needs.
    from rich.console import Console

    from neurt.measure.breakeven import run_breakeven
    from neurt.requests.breakeven import BreakEvenRequest
    from neurt.verbs.flags_conversion import FIELDS, conversion_of
    from reports.breakeven.terminal import print_breakeven
    from reports.breakeven.write import write_breakeven
    from reports.kit.files import check_directory

    before = time.strftime("%Y%m%d-%H%M%S")
    directory = check_directory(request.out or Path("runs") / f"{before}-breakeven")
    skipped = {"run", "out", "counts", *FIELDS}
    given = {key: value for key, value in vars(request).items() if key not in skipped}
    if request.model is None and not request.shapes and request.counts is None:
        given["model"] = "gpt2-small"
    asked = BreakEvenRequest(**given, run=request.counts, spiking=conversion_of(request))
    cases = run_breakeven(asked)
    # A pipe has no width of its own; tables are made for a wide one rather than cut.
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 160, highlight=False, soft_wrap=not terminal)
    print_breakeven(cases, console)
    files = write_breakeven(cases, directory)
    names = ", ".join(path.name for path in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)
