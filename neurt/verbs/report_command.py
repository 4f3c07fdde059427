"""The command `report`: from the directories of runs to their reports, or to a comparison."""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path

from neurt.measure.roofline import decode_rooflines
from neurt.verbs.console import terminal_console
from reports.compare.comparison import compare_runs
from reports.compare.terminal import print_comparison
from reports.compare.write import write_comparison
from reports.kit.files import OutputError, check_directory, slugs
from reports.kit.parquet import check_parquet, write_parquet
from reports.read import read_run
from reports.roofline.roofline import write_rooflines
from reports.run.run import Run
from reports.views.terminal import print_run
from reports.write import write_report, write_run_parquet


def run(request: argparse.Namespace) -> None:
    """Read runs, print them, and write their reports or their comparison.

    Everything is read before anything is written.

    Args:
        request: As parsed by `neurt.verbs.flags_report`.

    Raises:
        RunError: If a run cannot be read, or is not what was written.
        CompareError: If there is nothing to compare.
        ParquetError: If Parquet is asked for and cannot be written.
        OutputError: If the output directory holds files and `--force` is not given, or a file
            cannot be written.
    """
    out = _directory(request)
    if request.parquet:
        check_parquet()
    found = [read_run(directory) for directory in request.runs]
    names = slugs(directory.resolve().name or "run" for directory in request.runs)
    runs = dict(zip(names, found, strict=True))
    console = terminal_console()
    if request.compare:
        side_by_side = compare_runs(runs)
        print_comparison(side_by_side, console)
        files = write_comparison(side_by_side, out)
        if request.parquet:
            files.append(write_parquet(side_by_side.to_frame(), out / "compare.parquet"))
    else:
        files = []
        for name, one in runs.items():
            print_run(one, console)
            with console.status(f"writing {name}") if console.is_terminal else nullcontext():
                files += _report(one, out if len(runs) == 1 else out / name, request.parquet)
    written = ", ".join(str(path.relative_to(out)) for path in files)
    console.print(f"\nWritten to {out}: {written}", markup=False)


def _report(run: Run, out: Path, parquet: bool) -> list[Path]:
    files = [*write_report(run, out), *write_rooflines(decode_rooflines(run), out)]
    return [*files, *write_run_parquet(run, out)] if parquet else files


def _directory(request: argparse.Namespace) -> Path:
    """The output directory, which holds nothing that would be overwritten unasked."""
    out: Path = request.out or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-report"
    check_directory(out)
    held = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if held and not request.force:
        listed = ", ".join(held[:3]) + (", ..." if len(held) > 3 else "")
        raise OutputError(
            f"output directory '{out}' already holds {listed}; choose another --out, or --force "
            "to replace files of the same names"
        )
    return out
