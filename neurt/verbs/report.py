"""`report`: from the directories of runs to their reports, or to a comparison."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.measure.roofline import decode_rooflines
from neurt.requests.others import ReportRequest
from neurt.verbs.console import Notes, print_files
from reports.compare.comparison import compare_runs, write_comparison
from reports.compare.table import lines_table, print_comparison
from reports.kit.files import OutputError
from reports.kit.parquet import check_parquet, write_parquet
from reports.kit.slugs import slugs
from reports.measured.lines import beside
from reports.measured.table import beside_table, print_lines
from reports.measured.table import lines_table as measured_table
from reports.read import read_run
from reports.roofline.write import write_rooflines
from reports.views.terminal import print_run
from reports.write import write_report, write_run_parquet


def run(request: ReportRequest, console: Console) -> object:
    """Read runs, write their reports or their comparison, and print them.

    Everything is read before anything is written. Returns the files, or the rows of the comparison.

    Raises:
        OutputError: If the output directory holds files and `--force` is not given, or a file
            cannot be written.
    """
    _check_out(request)
    if request.parquet:
        check_parquet()
    names = slugs(directory.resolve().name or "run" for directory in request.runs)
    notes = Notes(console)
    read = [read_run(directory, notes) for directory in request.runs]
    runs = dict(zip(names, read, strict=True))
    files: list[Path] = []
    if request.compare:
        compared = compare_runs(runs, alone=request.measured)
        lines = beside(runs) if request.measured else []
        files += write_comparison(
            compared, request.out, pictures=request.pictures, page=request.page, measured=lines
        )
        if request.parquet:
            files.append(write_parquet(compared.to_frame(), request.out / "compare.parquet"))
        print_comparison(compared, console)
        if lines:
            console.print()
            print_lines(beside_table(lines), console)
    else:
        rooflines = {name: decode_rooflines(one) for name, one in runs.items()}
        for name, one in runs.items():
            out = request.out if len(runs) == 1 else request.out / name
            with console.status(f"writing {name}"):
                files += write_report(one, out, pictures=request.pictures, page=request.page)
                files += write_rooflines(rooflines[name], out, pictures=request.pictures)
                files += write_run_parquet(one, out) if request.parquet else []
        for one in runs.values():
            print_run(one, console, details=request.details)
    print_files(files, request.out, console)
    if not request.compare:
        return files
    tables = {"compare": lines_table(compared)}
    return tables | {"measured": measured_table(lines)} if lines else tables


def _check_out(request: ReportRequest) -> None:
    """Make sure that the output directory holds nothing that would be overwritten unasked."""
    out = request.out
    held = sorted(path.name for path in out.iterdir())
    if held and not request.force:
        listed = ", ".join(held[:3]) + (", ..." if len(held) > 3 else "")
        raise OutputError(
            f"output directory '{out}' already holds {listed}; choose another --out, or --force "
            "to replace files of the same names"
        )
