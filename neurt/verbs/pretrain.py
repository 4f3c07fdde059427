"""`pretrain`: a small GPT-2 from scratch."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from neurt.requests.training import PretrainRequest
from neurt.verbs.console import finished, print_files, say


def run(request: PretrainRequest, console: Console) -> list[Path]:
    """Train and write; returns its measures, of which only the main process of several knows."""
    from reports.kit.progress import progress_bars

    with progress_bars(console) as progress:
        from neurt.learning.finished import is_pretrained
        from neurt.learning.pretrain import run_pretrain

        if is_pretrained(request):
            say(console)(finished(request.out))
            return []
        made = run_pretrain(request, progress, say=say(console))
    if made is None:
        return []
    print_files(made.files, request.out, console)
    return [path for path in made.files if path.suffix == ".csv"]
