"""`profile`: measure a model and its conversion, or a NIR file; write the run, print it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.measure.conversion import check_conversion
from neurt.requests.passes import PassRequest, ProfileRequest
from neurt.verbs.console import Notes, check_free, say, say_idle_prices
from reports.run.run import Run


def run(request: ProfileRequest, console: Console) -> list[Path]:
    """Measure, write and print; returns the files."""
    # Imports are late in all handlers, so that a command waits only for what it needs.
    from reports.kit.progress import progress_bars

    check_free(request.out, "run.json", "run", request.force)
    if not request.is_network:
        check_conversion(request)
    with progress_bars(console) as progress:
        if request.is_network:
            from neurt.measure.nir_file import profile_nir as profile
        else:
            from neurt.measure.profiling import run_profile as profile
        made = profile(request, progress, say(console))
    return report(made, request, console)


def report(run: Run, request: PassRequest, console: Console) -> list[Path]:
    """Write the tables of a run, print it, and write its pictures and page; returns the files."""
    from neurt.measure.roofline import decode_rooflines
    from reports.kit.files import remove
    from reports.roofline.write import write_rooflines
    from reports.views.terminal import print_run, print_written
    from reports.write import views_of, write_tables, write_views

    pictures, out = request.pictures, request.out
    replaced = views_of(out)
    # It says that a directory holds a whole run, which while another replaces it is not so.
    remove(out / "run.json")
    # What was measured is safe first; a plan, which can be made again, is shown first.
    files = [] if run.command == "plan" else write_tables(run, out)
    print_run(run, console, details=request.details)
    with console.status("writing"):
        files = files or write_tables(run, out)
        files += write_rooflines(decode_rooflines(run), out, pictures=pictures)
        files += write_views(run, out, pictures=pictures, page=request.page)  # run.json comes last
    for path in replaced - set(files):
        remove(path)
    say_idle_prices(
        request, [bill for pair in run.estimates.values() for bill in pair], Notes(console)
    )
    print_written(files, console, "" if request.details else "--details prints all tables")
    return files
