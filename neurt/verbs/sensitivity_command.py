"""The command `sensitivity`: from a table of counts to what moves its savings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

from energy import Counts, Estimate, estimate
from energy.compare.sensitivity import SensitivityError
from energy.counts.file import read_csv
from hwmodels import Dataflow, HardwareProfile, load_profiles
from neurt.verbs.console import terminal_console
from reports.kit.files import check_directory
from reports.sensitivity.study import Study, write_sensitivity
from reports.sensitivity.terminal import print_sensitivity


def run(request: argparse.Namespace) -> None:
    """Print and write the sensitivity of a run.

    Args:
        request: As parsed by `neurt.verbs.flags_sensitivity`.

    Raises:
        CountsError: If the counts cannot be read.
        SensitivityError: If they lack a variant or the block.
        ProfileError: If a hardware profile cannot be loaded.
        OutputError: If a file cannot be written.
    """
    path: Path = request.counts
    path = path / "counts.csv" if path.is_dir() else path
    asa, ssa = _variants(read_csv(path), path)
    directory = check_directory(request.out or path.parent)
    studies = [_study(asa, ssa, profile, request) for profile in load_profiles(request.hw)]
    block = None if request.block == "model" else request.block
    console = terminal_console()
    for study in studies:
        print_sensitivity(study, console, block)
    files = write_sensitivity(studies, directory, block)
    names = ", ".join(file.name for file in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)


def _variants(counts: list[Counts], path: Path) -> tuple[list[Counts], list[Counts]]:
    """The phases of the analog and of the spiking variant."""
    found: dict[str, list[Counts]] = {}
    for one in counts:
        found.setdefault(one.variant, []).append(one)
    for variant in ("asa", "ssa"):
        if variant not in found:
            raise SensitivityError(
                f"counts '{path}' have no variant '{variant}' (they have: "
                f"{', '.join(name or 'one without a name' for name in found)}); a saving compares "
                "'asa' with 'ssa'"
            )
    return found["asa"], found["ssa"]


def _study(
    asa: list[Counts], ssa: list[Counts], profile: HardwareProfile, request: argparse.Namespace
) -> Study:
    def bill(phases: list[Counts]) -> Estimate:
        whole = reduce(add, (estimate(one, profile, dataflow=flow) for one in phases))
        given = request.latency_s.get(whole.counts.variant)  # that of all phases together
        return whole if given is None else replace(whole, latency_s=given)

    flow = Dataflow(request.dataflow) if request.dataflow else None
    return Study(bill(asa), bill(ssa), request.samples, request.seed)
