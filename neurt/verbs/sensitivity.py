"""`sensitivity`: from a table of counts to what moves its savings."""

from __future__ import annotations

from rich.console import Console

from energy import bill_of
from neurt.measure.widths import recorded_widths
from neurt.requests.others import SensitivityRequest
from neurt.verbs.console import Notes, check_free, print_files, say_idle_prices
from reports.read import read_sides
from reports.sensitivity.study import Study
from reports.sensitivity.table import print_sensitivity, sensitivity_table, write_sensitivity


def run(request: SensitivityRequest, console: Console) -> object:
    """Write and print the sensitivity of a run; returns the rows."""
    path = request.counts / "counts.csv" if request.counts.is_dir() else request.counts
    record = "sensitivity.csv"
    check_free(request.out, record, f"sensitivity ({record})", request.force, [path])
    notes = Notes(console)
    read = read_sides(request.counts, notes)
    stored = recorded_widths(request.counts, request.widths)
    variants = [list(map(stored.rows, side)) for side in read]
    latency_s = {str(variant): s for variant, s in request.latency_s.items()}
    studies = []
    for profile in stored.machines(request.profiles()):
        stored.tell(variants[0][0], profile, notes)
        analog, spiking = (
            bill_of(
                phases,
                profile,
                dataflow=request.dataflow,
                latency_s=latency_s.get(phases[0].variant),
            )
            for phases in variants
        )
        studies.append(Study(analog, spiking, request.samples, request.seed))
    block = request.block or ("attention" if "attention" in studies[0].blocks else "model")
    part = None if block == "model" else block
    files = write_sensitivity(studies, request.out, part, pictures=request.pictures)
    for study in studies:
        print_sensitivity(study, console, part)
    say_idle_prices(request, [bill for it in studies for bill in (it.asa, it.ssa)], notes)
    print_files(files, request.out, console)
    return {"sensitivity": sensitivity_table(studies), "notes": notes}
