"""What runs for each command: from parsed flags to tables and files.

Imports are late, so that a command waits only for what it needs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwmodels import HardwareProfile
from neurt.flags import Commands
from neurt.flags_conversion import FIELDS, conversion_of

if TYPE_CHECKING:
    from rich.console import Console

    from neurt.profiling import Progress


def _fields(request: argparse.Namespace, directory: Path) -> dict[str, Any]:
    skipped = {"run", *FIELDS}
    given = {key: value for key, value in vars(request).items() if key not in skipped}
    return given | {"hw": tuple(request.hw), "out": directory, "spiking": conversion_of(request)}


def _directory(request: argparse.Namespace, before: str | None = None) -> Path:
    """The output directory; by default one that is named after the time and the model."""
    from reports.files import check_directory

    name = Path(request.model).name or "model"
    before = before or time.strftime("%Y%m%d-%H%M%S")
    return check_directory(request.out or Path("runs") / f"{before}-{name}")


def _profile(request: argparse.Namespace) -> None:
    console = _console()
    directory = _directory(request)
    with _spinner(console) as progress:
        from neurt.profiling import run_profile
        from neurt.request import ProfileRequest

        asked = ProfileRequest(**_fields(request, directory))
        run = run_profile(asked, progress, say=_say(console))
    _report(run, directory, console)


def _plan(request: argparse.Namespace) -> None:
    from neurt.planning import run_plan
    from neurt.request import PlanRequest

    directory = _directory(request)
    run = run_plan(PlanRequest(**_fields(request, directory)))
    _report(run, directory, _console())


def _report(run: Any, directory: Path, console: Console) -> None:
    from reports.terminal import print_run
    from reports.write import write_report

    print_run(run, console)
    with console.status("writing") if console.is_terminal else nullcontext():
        files = write_report(run, directory)
    _written(files, directory, console)


def _price(request: argparse.Namespace) -> None:
    from energy import estimate
    from energy.countsfile import read_csv
    from hwmodels import load_profiles
    from reports.files import prepare_directory
    from reports.terminal import print_bill
    from reports.write import write_prices

    console = _console()
    variants = read_csv(request.counts)
    profiles = load_profiles(request.hw)
    bills = [estimate(counts, profile) for profile in profiles for counts in variants]
    for bill in bills:
        print_bill(bill, console)
    path = write_prices(bills, prepare_directory(request.out) / "energy.csv")
    console.print(f"Written to {path}", markup=False)


def _hw_list(_request: argparse.Namespace) -> None:
    from reports.hardware import print_profiles

    print_profiles(_console())


def _hw_show(request: argparse.Namespace) -> None:
    from hwmodels import load_profile
    from reports.hardware import print_profile

    print_profile(load_profile(request.name), _console())


def _hw_validate(request: argparse.Namespace) -> None:
    from hwmodels.catalog import read_profile

    profile = read_profile(request.file)
    print(f"{request.file}: valid profile '{profile.name}', {len(profile.prices)} prices")


def _hw_schema(_request: argparse.Namespace) -> None:
    print(json.dumps(HardwareProfile.model_json_schema(), indent=2))


def _console() -> Console:
    from rich.console import Console

    # A pipe has no width of its own; tables are made for a wide one rather than cut.
    width = None if sys.stdout.isatty() else 132
    return Console(width=width, highlight=False, soft_wrap=not sys.stdout.isatty())


def _spinner(console: Console) -> AbstractContextManager[Progress]:
    from reports.progress import progress_bars

    return progress_bars(console)


def _evaluate(request: argparse.Namespace) -> None:
    console = _console()
    directory = _directory(request)
    with _spinner(console) as progress:
        from neurt.evaluate_request import EvaluateRequest
        from neurt.evaluating import run_evaluate
        from reports.quality import write_quality
        from reports.terminal_quality import print_quality

        asked = EvaluateRequest(**_fields(request, directory))
        found = run_evaluate(asked, progress, say=_say(console))
    print_quality(found, console)
    _written(write_quality(found, directory), directory, console)


def _sweep(request: argparse.Namespace) -> None:
    console = _console()
    directory = _directory(request, "sweep")  # the same again, where the points are kept
    with _spinner(console) as progress:
        from neurt.sweep import run_sweep
        from neurt.sweep_request import SweepRequest
        from reports.sweep import print_sweep, write_sweep

        given = vars(request) | {"hw": tuple(request.hw), "out": directory}
        asked = SweepRequest(**{key: value for key, value in given.items() if key != "run"})
        found = run_sweep(asked, progress, say=_say(console))
    print_sweep(found, console)
    _written(write_sweep(found, directory), directory, console)


def _pretrain(request: argparse.Namespace) -> None:
    console = _console()
    with _spinner(console) as progress:
        from neurt.pretrain import run_pretrain
        from neurt.training_request import PretrainRequest

        given = {key: value for key, value in vars(request).items() if key != "run"}
        made = run_pretrain(PretrainRequest(**given), progress, say=_say(console))
    if made is not None:
        _written(made.files, request.out, console)


def _finetune(request: argparse.Namespace) -> None:
    console = _console()
    with _spinner(console) as progress:
        from neurt.finetune import run_finetune
        from neurt.finetune_request import FinetuneRequest
        from reports.finetuned import print_stages

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


COMMANDS = Commands(
    evaluate=_evaluate,
    finetune=_finetune,
    hw_list=_hw_list,
    hw_schema=_hw_schema,
    hw_show=_hw_show,
    hw_validate=_hw_validate,
    plan=_plan,
    pretrain=_pretrain,
    price=_price,
    profile=_profile,
    sweep=_sweep,
)
