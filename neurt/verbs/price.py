"""`price`: from a table of counts to a bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from energy import Counts, bill_of
from energy.counts.file import by_variant, counts_bytes, read_csv
from energy.literature.lemaire import SOURCE as LEMAIRE_SOURCE
from energy.table import Table
from hwmodels import HardwareProfile, Room
from hwmodels.pair import COMPARISON
from hwmodels.pair import sides as sides_of
from neurt.requests.base import RequestError
from neurt.requests.others import PriceRequest
from neurt.verbs.console import Notes, check_free, say_idle_prices


def run(request: PriceRequest, console: Console) -> object:
    """Price, write every row and print the totals; returns the rows."""
    if request.is_pair:
        return _machines(request, console)
    name, price = ("energy", _bill) if request.accounting == "bill" else ("lemaire", _lemaire)
    path, notes = request.out / f"{name}.csv", Notes(console)
    check_free(request.out, path.name, f"bill ({path.name})", request.force, [request.counts])
    _check_sources(request)
    table = price(read_csv(request.counts, notes), path, request, console, notes)
    texts = [LEMAIRE_SOURCE] if request.accounting != "bill" else []
    _write_sources(request, request.profiles(), path, console, texts)
    return {name: table, "notes": notes}


def _check_sources(request: PriceRequest) -> None:
    """Make sure that the sources of another result stay."""
    if _in_a_directory(request):
        check_free(request.out, "sources.bib", "result's sources (sources.bib)", request.force)


def _write_sources(
    request: PriceRequest,
    profiles: Sequence[HardwareProfile],
    path: Path,
    console: Console,
    others: Iterable[str] = (),
) -> None:
    """Write `sources.bib` beside a table in a directory of its own, and say what was written."""
    if not _in_a_directory(request):
        console.print(f"Written to {path}", markup=False)
        return
    from reports.sources.run import write_sources

    write_sources(profiles, request.out, others)
    console.print(f"Written to {path}, with the sources of its prices beside it", markup=False)


def _in_a_directory(request: PriceRequest) -> bool:
    """Whether `--out` was given; the directory where somebody stands holds files of all kinds."""
    return "out" in request.model_fields_set


def _bill(
    counts: list[Counts], path: Path, request: PriceRequest, console: Console, notes: Notes
) -> Table[Any]:
    from neurt.measure.widths import StoredWidths
    from reports.views.tables import energies, write_prices
    from reports.views.terminal import print_bills

    stored = StoredWidths(request.widths)
    profiles = request.profiles()
    if request.room is None and counts_bytes(request.counts):
        profiles = tuple(_as_given(profile, notes) for profile in profiles)
    variants = by_variant(list(map(stored.rows, counts)), request.counts)
    latency_s = {str(variant): s for variant, s in request.latency_s.items()}
    _check_variants(latency_s, variants, request.counts)
    bills = [
        bill_of(phases, profile, dataflow=request.dataflow, latency_s=latency_s.get(variant))
        for profile in profiles
        for variant, phases in variants.items()
    ]
    write_prices(bills, path)
    for bill in bills if latency_s else ():
        if bill.static_pj is None:
            notes(
                f"static energy of {bill.counts.variant or 'what has no variant'} is unknown, as "
                f"--latency-s gives {', '.join(latency_s)} alone: the totals are of different terms"
            )
    print_bills(bills, console)
    say_idle_prices(request, bills, notes)
    return energies(bills)


def _machines(request: PriceRequest, console: Console) -> object:
    """Price the analog side on one machine and the spiking side on another."""
    from neurt.measure.widths import recorded_widths
    from reports.read import read_sides
    from reports.views.machines import machines_table, print_machines, write_machines

    path, notes = request.out / "machines.csv", Notes(console)
    check_free(request.out, path.name, f"comparison ({path.name})", request.force, [request.counts])
    _check_sources(request)
    read = read_sides(request.counts, notes)
    stored = recorded_widths(request.counts, request.widths)
    sides = [list(map(stored.rows, side)) for side in read]
    [pair] = stored.machines(request.machines())
    machines = sides_of(pair)
    asa, ssa = (
        bill_of(
            phases,
            profile,
            dataflow=request.dataflow,
            latency_s={str(x): s for x, s in request.latency_s.items()}.get(phases[0].variant),
        )
        for phases, profile in zip(sides, machines, strict=True)
    )
    write_machines(asa, ssa, path)
    print_machines(asa, ssa, console)
    say_idle_prices(request, (asa, ssa), notes)
    _write_sources(request, machines, path, console)
    return {"comparison": COMPARISON, "machines": machines_table(asa, ssa), "notes": notes}


def _as_given(profile: HardwareProfile, notes: Notes) -> HardwareProfile:
    """The profile for a table that says how many bytes move, and not which parts of a buffer stay.

    A profile that says who gets the room is taken at its word.
    """
    homes = max(map(len, profile.placement.values()), default=0)
    if "room" in profile.model_fields_set or homes < 2:
        return profile
    notes(
        f"a table of bytes says nothing of parts of a buffer that stay on {profile.name}, so each "
        "is read from where it fits as a whole; --room by-need keeps there what fits"
    )
    return profile.model_copy(update={"room": Room.FIXED_ORDER})


def _check_variants(latency_s: Iterable[str], variants: Iterable[str], path: Path) -> None:
    """Raise RequestError if a latency is that of a variant that a table has not."""
    for variant in {*latency_s} - {*variants}:
        known = ", ".join(name or "one without a name" for name in variants)
        raise RequestError(
            f"--latency-s {variant} has no effect here: counts '{path}' have no such variant (they "
            f"have: {known}); leave it out, or name the rows in a column 'variant'"
        )


def _lemaire(
    counts: list[Counts], path: Path, request: PriceRequest, console: Console, _notes: Notes
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
