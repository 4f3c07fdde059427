"""`sensitivity`: from a table of counts to what moves its savings."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from energy import bill_of
from energy.counts.file import read_csv, variants_of
from neurt.requests.others import SensitivityRequest
from neurt.verbs.console import print_files
from reports.kit.files import check_directory
from reports.sensitivity.study import Study
from reports.sensitivity.table import print_sensitivity, write_sensitivity


def run(request: SensitivityRequest, console: Console) -> list[Path]:
    """Write and print the sensitivity of a run; returns the files."""
    path = request.counts / "counts.csv" if request.counts.is_dir() else request.counts
    variants = variants_of(read_csv(path), path)
    check_directory(request.out)
    latency_s = {str(variant): s for variant, s in request.latency_s.items()}
    studies = []
    for profile in request.profiles():
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
    block = None if request.block == "model" else request.block
    files = write_sensitivity(studies, request.out, block, pictures=request.pictures)
    for study in studies:
        print_sensitivity(study, console, block)
    print_files(files, request.out, console)
    return files
