"""`report`: from the directories of runs to their reports, or to a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from neurt.measure.roofline import decode_rooflines
from neurt.requests.others import ReportRequest
from neurt.verbs.console import Notes, print_files
from reports.compare.comparison import compare_runs, write_comparison
from reports.compare.table import lines_table, print_comparison
from reports.count.latex import count_latex
from reports.count.read import read_count
from reports.count.terminal import print_count
from reports.count.write import write_count
from reports.kit.files import OutputError, write_text
from reports.kit.parquet import check_parquet, write_parquet
from reports.kit.slugs import slugs
from reports.measured.lines import beside
from reports.measured.one_sided import is_count, is_one_sided, one_sided
from reports.measured.table import beside_table, print_lines
from reports.measured.table import lines_table as measured_table
from reports.measured.write import write_beside
from reports.read import read_run
from reports.roofline.write import write_rooflines
from reports.run.record import RunError
from reports.shown import Run
from reports.views.terminal import print_run
from reports.write import write_report, write_run_latex, write_run_parquet


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
    directories = dict(zip(names, request.runs, strict=True))
    single = {name: where for name, where in directories.items() if is_one_sided(where)}
    _check_sides(request, single)
    counts = {} if request.compare else {name: read_count(x) for name, x in single.items()}
    notes = Notes(console)
    runs = {name: read_run(x, notes) for name, x in directories.items() if name not in single}
    if request.compare:
        return _compare(request, runs, single, console)
    several = len(directories) > 1
    rooflines = {name: decode_rooflines(one) for name, one in runs.items()}
    pictures, fit = request.pictures, request.pictures_fit
    files: list[Path] = []
    for name, one in runs.items():
        out = request.out / name if several else request.out
        with console.status(f"writing {name}"):
            files += write_report(one, out, pictures=pictures, fit=fit, page=request.page)
            files += write_rooflines(rooflines[name], out, pictures=pictures, fit=fit)
            files += write_run_parquet(one, out) if request.parquet else []
            files += [write_run_latex(one, out, request.latex_fit)] if request.latex else []
    for name, count in counts.items():
        out = request.out / name if several else request.out
        files += write_count(count, out, pictures=pictures, fit=fit)
        if request.latex:
            files.append(write_text(out / "table.tex", count_latex(count, request.latex_fit)))
    for one in runs.values():
        print_run(one, console, details=request.details)
    for count in counts.values():
        print_count(count, console, details=request.details)
    print_files(files, request.out, console)
    return files


def _compare(
    request: ReportRequest, runs: Mapping[str, Run], single: Mapping[str, Path], console: Console
) -> dict[str, object]:
    """Runs side by side, and beside what was measured; those of one side there alone."""
    files: list[Path] = []
    tables: dict[str, object] = {}
    others = [line for name, where in single.items() for line in one_sided(name, where)]
    lines = beside(runs, others) if request.measured else []
    if runs:
        compared = compare_runs(runs, alone=request.measured)
        files += write_comparison(
            compared,
            request.out,
            pictures=request.pictures,
            page=request.page,
            measured=lines,
            latex=request.latex_fit if request.latex else None,
        )
        if request.parquet:
            files.append(write_parquet(compared.to_frame(), request.out / "compare.parquet"))
        print_comparison(compared, console)
        tables["compare"] = lines_table(compared)
    else:
        files += write_beside(lines, request.out, request.pictures)
    if lines:
        console.print()
        print_lines(beside_table(lines), console)
        tables["measured"] = measured_table(lines)
    print_files(files, request.out, console)
    return tables


def _check_sides(request: ReportRequest, single: Mapping[str, Path]) -> None:
    """Make sure that what has one side alone is asked for nothing that takes two."""
    for where in () if request.compare and request.measured else single.values():
        if request.compare:
            raise RunError(
                f"run '{where}' has one side alone, so no saving to compare; put it beside "
                "measured systems with --compare --measured, or leave out --compare"
            )
        if not is_count(where):
            raise RunError(
                f"run '{where}' is a prediction of a server, whose report is what `plan` wrote; "
                "put it beside measured systems with --compare --measured"
            )
        if request.parquet:
            raise RunError(
                f"run '{where}' has one side alone, and --parquet writes the tables of two; leave "
                "it out, and read its counts.csv and energy.csv"
            )


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
