"""The command `price`: from a table of counts to a bill."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from energy import Counts, Estimate, bill_of
from energy.counts.file import read_csv
from hwmodels import Dataflow, HardwareProfile, ProfileError, load_profiles
from neurt.verbs.console import terminal_console
from reports.kit.files import prepare_directory

if TYPE_CHECKING:
    from rich.console import Console


def run(request: argparse.Namespace) -> None:
    """Price a table of counts, print the totals and write every row.

    Args:
        request: As parsed by `neurt.verbs.flags_price`.

    Raises:
        CountsError: If the counts cannot be read.
        ProfileError: If a hardware profile cannot be loaded, or a latency is given for several.
        LemaireError: If the accounting needs prices that the profile has not.
        OutputError: If a file cannot be written.
    """
    counts = read_csv(request.counts)
    profiles = load_profiles(request.hw)
    console = terminal_console()
    price = _bill if request.accounting == "bill" else _lemaire
    path = price(counts, profiles, request, console)
    console.print(f"Written to {path}", markup=False)


def _bill(
    counts: list[Counts],
    profiles: tuple[HardwareProfile, ...],
    request: argparse.Namespace,
    console: Console,
) -> Path:
    from reports.views.tables import write_prices
    from reports.views.terminal import print_bills

    if request.latency_s and len(profiles) > 1:
        raise ProfileError(
            f"--latency is that of one chip, but --hw names {', '.join(request.hw)}; give one --hw"
        )
    flow = Dataflow(request.dataflow) if request.dataflow else None
    variants = dict.fromkeys(one.variant for one in counts)

    def whole(variant: str, profile: HardwareProfile) -> Estimate:
        phases = [one for one in counts if one.variant == variant]
        return bill_of(phases, profile, dataflow=flow, latency_s=request.latency_s.get(variant))

    bills = [whole(variant, profile) for profile in profiles for variant in variants]
    print_bills(bills, console)
    return write_prices(bills, prepare_directory(request.out) / "energy.csv")


def _lemaire(
    counts: list[Counts],
    profiles: tuple[HardwareProfile, ...],
    request: argparse.Namespace,
    console: Console,
) -> Path:
    from energy.literature.lemaire import VARIANTS, Costs, LemaireError
    from energy.literature.lemaire_bill import lemaire
    from reports.literature.lemaire import print_lemaire, write_lemaire

    if request.dataflow or request.latency_s:
        raise LemaireError(
            "the accounting of Lemaire et al. has a dataflow of its own and no static energy; "
            "leave out --dataflow and --latency, or use --accounting bill"
        )
    bills = [
        (profile.name, lemaire(one, Costs.of(profile), VARIANTS[request.accounting]))
        for profile in profiles
        for one in counts
    ]
    print_lemaire(bills, console)
    return write_lemaire(bills, prepare_directory(request.out) / "lemaire.csv")
