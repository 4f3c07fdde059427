"""`finetune`: convert a model and train its spiking version."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.measure.conversion import check_conversion
from neurt.requests.finetune import FinetuneRequest
from neurt.verbs.console import finished, say


def run(request: FinetuneRequest, console: Console) -> list[Path]:
    """Train, write and print; returns the record, which only the main process of several has."""
    from reports.kit.progress import progress_bars

    check_conversion(request)
    with progress_bars(console) as progress:
        from neurt.learning.finetune import run_finetune
        from neurt.learning.finished import is_finetuned
        from reports.kit.table import print_table
        from reports.training.finetuned import stages_table

        if is_finetuned(request):
            say(console)(finished(request.out))
            return [request.out / "finetune.json"]
        made = run_finetune(request, progress, say=say(console))
    if made is None:
        return []
    print_table(stages_table(made), console)
    for remark in made.remarks:
        console.print(f"\n{remark}", markup=False)
    console.print(f"\nWritten to {request.out}", markup=False)
    return [request.out / "finetune.json"]
