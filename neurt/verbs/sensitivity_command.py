"""The command `sensitivity`: from a table of counts to what moves its savings."""

from __future__ import annotations

import argparse
from pathlib import Path

from energy import Counts, bill_of
from energy.counts.file import read_csv, variants_of
from hwmodels import Dataflow, HardwareProfile, load_profiles
from neurt.verbs.console import terminal_console
from reports.kit.files import check_directory
from reports.sensitivity.study import Study
from reports.sensitivity.terminal import print_sensitivity
from reports.sensitivity.write import write_sensitivity


def run(request: argparse.Namespace) -> None:
    """Print and write the sensitivity of a run.

    Args:
        request: As parsed by `neurt.verbs.flags_sensitivity`.

    Raises:
        CountsError: If the counts cannot be read, or lack a variant.
        SensitivityError: If they lack the block.
        ProfileError: If a hardware profile cannot be loaded.
        OutputError: If a file cannot be written.
    """
    path: Path = request.counts
    path = path / "counts.csv" if path.is_dir() else path
    asa, ssa = variants_of(read_csv(path), path)
    directory = check_directory(request.out or path.parent)
    studies = [_study(asa, ssa, profile, request) for profile in load_profiles(request.hw)]
    block = None if request.block == "model" else request.block
    console = terminal_console()
    for study in studies:
        print_sensitivity(study, console, block)
    files = write_sensitivity(studies, directory, block)
    names = ", ".join(file.name for file in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)


def _study(
    asa: list[Counts], ssa: list[Counts], profile: HardwareProfile, request: argparse.Namespace
) -> Study:
    flow = Dataflow(request.dataflow) if request.dataflow else None
    analog, spiking = (
        bill_of(phases, profile, dataflow=flow, latency_s=request.latency_s.get(phases[0].variant))
        for phases in (asa, ssa)
    )
    return Study(analog, spiking, request.samples, request.seed)
