"""`evaluate`: the quality of a spiking model beside its analog one, and what it saves."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.measure.conversion import check_conversion
from neurt.requests.evaluate import EvaluateRequest
from neurt.verbs.console import print_files, say


def run(request: EvaluateRequest, console: Console) -> list[Path]:
    """Evaluate, write and print; returns the files."""
    from reports.kit.progress import progress_bars

    check_conversion(request)
    with progress_bars(console) as progress:
        from neurt.evaluation.evaluating import run_evaluate
        from neurt.grid.windows import evaluate_in_parallel
        from reports.quality.table import print_quality
        from reports.quality.write import write_quality

        run = run_evaluate if request.windows_in_parallel is None else evaluate_in_parallel
        evaluation = run(request, progress, say=say(console))
    files = write_quality(evaluation, request.out, pictures=request.pictures)
    print_quality(evaluation, console)
    print_files(files, request.out, console)
    return files
