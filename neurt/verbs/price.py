"""`price`: from a table of counts to a bill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from energy import Counts, bill_of
from energy.counts.file import by_variant, read_csv
from energy.table import Table
from neurt.requests.others import PriceRequest
from neurt.verbs.console import Notes, check_free


def run(request: PriceRequest, console: Console) -> object:
    """Price, write every row and print the totals; returns the rows."""
    name, price = ("energy", _bill) if request.accounting == "bill" else ("lemaire", _lemaire)
    path, notes = request.out / f"{name}.csv", Notes(console)
    check_free(request.out, path.name, f"bill ({path.name})", request.force, [request.counts])
    table = price(read_csv(request.counts, notes), path, request, console)
    console.print(f"Written to {path}", markup=False)
    return {name: table, "notes": notes}


def _bill(counts: list[Counts], path: Path, request: PriceRequest, console: Console) -> Table[Any]:
    from neurt.measure.widths import StoredWidths
    from reports.views.tables import energies, write_prices
    from reports.views.terminal import print_bills

    stored = StoredWidths(request.widths)
    profiles = request.profiles()
    variants = by_variant(list(map(stored.rows, counts)), request.counts)
    latency_s = {str(variant): s for variant, s in request.latency_s.items()}
    bills = [
        bill_of(phases, profile, dataflow=request.dataflow, latency_s=latency_s.get(variant))
        for profile in profiles
        for variant, phases in variants.items()
    ]
    write_prices(bills, path)
    print_bills(bills, console)
    return energies(bills)


def _lemaire(
    counts: list[Counts], path: Path, request: PriceRequest, console: Console
) -> Table[Any]:
    from energy.literature.lemaire import VARIANTS, Costs
    from energy.literature.lemaire_bill import lemaire
    from reports.literature.lemaire import lemaire_table, print_lemaire, write_lemaire

    bills = [
        (profile.name, lemaire(phase, Costs.of(profile), VARIANTS[request.accounting]))
        for profile in request.profiles()
        for phase in counts
    ]
    write_lemaire(bills, path)
    print_lemaire(bills, console)
    return lemaire_table(bills)
