"""What runs for each command: from parsed flags to tables and files.

Imports are late, so that a command waits only for what it needs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurt.verbs.console import terminal_console
from neurt.verbs.flags import Commands, Handler
from neurt.verbs.flags_conversion import FIELDS, conversion_of
from neurt.verbs.hw_commands import HW_HANDLERS

if TYPE_CHECKING:
    from rich.console import Console

    from neurt.progress import Progress


def _fields(request: argparse.Namespace, directory: Path) -> dict[str, Any]:
    skipped = {"run", "force", *FIELDS}
    given = {key: value for key, value in vars(request).items() if key not in skipped}
    return given | {"hw": tuple(request.hw), "out": directory, "spiking": conversion_of(request)}


def _directory(request: argparse.Namespace, before: str | None = None) -> Path:
    """The output directory; by default one that is named after the time and the model."""
    from reports.kit.files import OutputError, check_directory

    name = Path(request.model).name or "model"
    before = before or time.strftime("%Y%m%d-%H%M%S")
    directory = check_directory(request.out or Path("runs") / f"{before}-{name}")
    if (directory / "run.json").exists() and not getattr(request, "force", True):
        raise OutputError(
            f"output directory '{directory}' already holds a run; choose another --out, or --force "
            "to replace it"
        )
    return directory


def _profile(request: argparse.Namespace) -> None:
    console = terminal_console()
    directory = _directory(request)
    with _spinner(console) as progress:
        from neurt.measure.profiling import run_profile
        from neurt.requests.passes import ProfileRequest

        asked = ProfileRequest(**_fields(request, directory))
        run = run_profile(asked, progress, say=_say(console))
    _report(run, directory, console)


def _plan(request: argparse.Namespace) -> None:
    from neurt.measure.planning import run_plan
    from neurt.requests.passes import PlanRequest

    directory = _directory(request)
    run = run_plan(PlanRequest(**_fields(request, directory)))
    _report(run, directory, terminal_console())


def _report(run: Any, directory: Path, console: Console) -> None:
    from neurt.measure.roofline import decode_rooflines
    from reports.roofline.roofline import write_rooflines
    from reports.views.terminal import print_run
    from reports.write import write_tables, write_views

    files = write_tables(run, directory)
    print_run(run, console)
    with console.status("writing") if console.is_terminal else nullcontext():
        files += write_rooflines(decode_rooflines(run), directory)
        files += write_views(run, directory)  # run.json comes last
    _written(files, directory, console)


def _spinner(console: Console) -> AbstractContextManager[Progress]:
    from reports.kit.progress import progress_bars

    return progress_bars(console)


def _evaluate(request: argparse.Namespace) -> None:
    console = terminal_console()
    directory = _directory(request)
    with _spinner(console) as progress:
        from neurt.evaluation.evaluating import run_evaluate
        from neurt.requests.evaluate import EvaluateRequest
        from reports.quality.terminal import print_quality
        from reports.quality.write import write_quality

        asked = EvaluateRequest(**_fields(request, directory))
        found = run_evaluate(asked, progress, say=_say(console))
    print_quality(found, console)
    _written(write_quality(found, directory), directory, console)


def _sweep(request: argparse.Namespace) -> None:
    console = terminal_console()
    directory = _directory(request, "sweep")  # the same again, where the points are kept
    with _spinner(console) as progress:
        from neurt.grid.sweep import run_sweep
        from neurt.requests.sweep import SweepRequest
        from reports.quality.terminal import print_sweep
        from reports.quality.write import write_sweep

        given = vars(request) | {"hw": tuple(request.hw), "out": directory}
        asked = SweepRequest(**{key: value for key, value in given.items() if key != "run"})
        found = run_sweep(asked, progress, say=_say(console))
    print_sweep(found, console)
    _written(write_sweep(found, directory), directory, console)


def _pretrain(request: argparse.Namespace) -> None:
    console = terminal_console()
    with _spinner(console) as progress:
        from neurt.learning.pretrain import run_pretrain
        from neurt.requests.training import PretrainRequest

        given = {key: value for key, value in vars(request).items() if key != "run"}
        made = run_pretrain(PretrainRequest(**given), progress, say=_say(console))
    if made is not None:
        _written(made.files, request.out, console)


def _finetune(request: argparse.Namespace) -> None:
    console = terminal_console()
    with _spinner(console) as progress:
        from neurt.learning.finetune import run_finetune
        from neurt.requests.finetune import FinetuneRequest
        from reports.training.finetuned import print_stages

        skipped = {"run", *FIELDS}
        given = {key: value for key, value in vars(request).items() if key not in skipped}
        asked = FinetuneRequest(**given, spiking=conversion_of(request))
        made = run_finetune(asked, progress, say=_say(console))
    if made is not None:  # only the main process of several speaks
        print_stages(made, console)
        console.print(f"\nWritten to {request.out}", markup=False)


def _say(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, markup=False)


def _written(files: Sequence[Path], directory: Path, console: Console) -> None:
    names = ", ".join(str(path.relative_to(directory)) for path in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)


def _from(module: str) -> Handler:
    """The `run` of a module that is imported when the command is used."""

    def run(request: argparse.Namespace) -> None:
        import_module(module).run(request)

    return run


COMMANDS = Commands(
    breakeven=_from("neurt.verbs.breakeven_command"),
    check=_from("neurt.verbs.check_command"),
    convert=_from("neurt.verbs.convert_command"),
    count=_from("neurt.verbs.count_command"),
    evaluate=_evaluate,
    finetune=_finetune,
    hw=HW_HANDLERS,
    plan=_plan,
    pretrain=_pretrain,
    price=_from("neurt.verbs.price_command"),
    profile=_profile,
    report=_from("neurt.verbs.report_command"),
    reproduce=_from("neurt.verbs.reproduce_command"),
    sensitivity=_from("neurt.verbs.sensitivity_command"),
    sweep=_sweep,
)
