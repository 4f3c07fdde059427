"""`price`: from a table of counts to a bill."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from energy import Counts, bill_of
from energy.counts.file import read_csv
from neurt.requests.others import PriceRequest
from reports.kit.files import prepare_directory


def run(request: PriceRequest, console: Console) -> list[Path]:
    """Price, write every row and print the totals; returns the file."""
    price = _bill if request.accounting == "bill" else _lemaire
    path = price(read_csv(request.counts), request, console)
    console.print(f"Written to {path}", markup=False)
    return [path]


def _bill(counts: list[Counts], request: PriceRequest, console: Console) -> Path:
    from reports.views.tables import write_prices
    from reports.views.terminal import print_bills

    profiles = request.profiles()
    latency_s = {str(variant): s for variant, s in request.latency_s.items()}
    bills = [
        bill_of(
            [phase for phase in counts if phase.variant == variant],
            profile,
            dataflow=request.dataflow,
            latency_s=latency_s.get(variant),
        )
        for profile in profiles
        for variant in dict.fromkeys(phase.variant for phase in counts)
    ]
    path = write_prices(bills, prepare_directory(request.out) / "energy.csv")
    print_bills(bills, console)
    return path


def _lemaire(counts: list[Counts], request: PriceRequest, console: Console) -> Path:
    from energy.literature.lemaire import VARIANTS, Costs
    from energy.literature.lemaire_bill import lemaire
    from reports.literature.lemaire import print_lemaire, write_lemaire

    bills = [
        (profile.name, lemaire(phase, Costs.of(profile), VARIANTS[request.accounting]))
        for profile in request.profiles()
        for phase in counts
    ]
    path = write_lemaire(bills, prepare_directory(request.out) / "lemaire.csv")
    print_lemaire(bills, console)
    return path
