"""`count`: an analog model alone, or the spiking network of a NIR file."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from neurt.requests.passes import CountRequest, PlanRequest
from neurt.verbs.console import Notes, check_free, say, say_idle_prices
from reports.count.run import CountRun


def run(request: CountRequest, console: Console) -> list[Path]:
    """Count, price, write and print; returns the files."""
    from reports.kit.files import OutputError
    from reports.kit.progress import progress_bars

    out = request.out
    if (out / "run.json").exists():
        raise OutputError(f"output directory '{out}' holds a run of profile; choose another --out")
    check_free(out, "count.json", "count", request.force)
    with progress_bars(console) as progress:
        if request.is_network:
            from neurt.measure.nir_file import count_nir as counts
        else:
            from neurt.measure.counting import run_count as counts
        counted = counts(request, progress, say(console))
    return report_count(counted, request, console)


def report_count(
    counted: CountRun, request: CountRequest | PlanRequest, console: Console
) -> list[Path]:
    """Write the tables of a count and print it; returns the files."""
    from reports.card.write import write_card
    from reports.count.card import count_card
    from reports.count.terminal import print_count
    from reports.count.write import write_count

    out = request.out
    card = count_card(counted, request.carbon_intensity) if request.card else None
    files = write_count(counted, out, pictures=request.pictures)
    files += write_card(card, out)
    print_count(counted, console, details=request.details, written=files)
    say_idle_prices(request, counted.estimates.values(), Notes(console))
    words = " ".join(
        [f"--hw {hw}" for hw in request.hw] + [f"--set {shlex.quote(it)}" for it in request.set]
    )
    console.print(f"Price it again:  neurt-energy price {out / 'counts.csv'} {words}", markup=False)
    return files
