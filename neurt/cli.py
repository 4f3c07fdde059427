"""The command line. It turns words into a request and errors into one line; it holds no logic."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.countsfile import CountsError
from hwmodels import HardwareProfile, ProfileError
from neurt.flags import Commands, parser

if TYPE_CHECKING:
    from rich.console import Console

    from neurt.profiling import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 on success, 1 on an error that is explained in one line, 130 when interrupted. Words
        that argparse cannot parse end the process with 2.
    """
    # One idle process spinning beside another makes both ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    request = command_line().parse_args(arguments)
    try:
        request.run(request)
    except KeyboardInterrupt:
        print("neurt-energy: interrupted; files already in place are whole", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, say) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if not isinstance(error, _ours()):
            raise
        print(f"neurt-energy: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _ours() -> tuple[type[Exception], ...]:
    """Errors that explain themselves; those of modules that were never imported cannot occur."""
    from reports.files import OutputError

    found: list[type[Exception]] = [CountsError, ProfileError, OutputError]
    lazy = {
        "energy.expose": ["ExposeError"],
        "energy.matmul": ["EventError"],
        "energy.meter": ["UncountedOperation"],
        "neurt.convert": ["ConversionError"],
        "neurt.data": ["TextError"],
        "neurt.gpt2": ["ShapeError"],
        "neurt.plan": ["PlanError"],
        "neurt.profiling": ["VerificationError"],
        "neurt.source": ["ModelError"],
    }
    for module, names in lazy.items():
        if module in sys.modules:
            found += [getattr(sys.modules[module], name) for name in names]
    return tuple(found)


def _fields(request: argparse.Namespace, directory: Path) -> dict[str, Any]:
    given = {key: value for key, value in vars(request).items() if key != "run"}
    return given | {"hw": tuple(request.hw), "out": directory}


def _directory(request: argparse.Namespace) -> Path:
    from reports.files import check_directory

    name = Path(request.model).name or "model"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return check_directory(request.out or Path("runs") / f"{stamp}-{name}")


def _profile(request: argparse.Namespace) -> None:
    console = _console()
    directory = _directory(request)
    with _spinner(console) as progress:
        from neurt.profiling import run_profile
        from neurt.request import ProfileRequest

        asked = ProfileRequest(**_fields(request, directory))
        run = run_profile(asked, progress, say=lambda line: console.print(line, markup=False))
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
    names = ", ".join(path.name for path in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)


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


def command_line() -> argparse.ArgumentParser:
    """The parser of the command line, with the handler of each command."""
    return parser(
        Commands(
            hw_list=_hw_list,
            hw_schema=_hw_schema,
            hw_show=_hw_show,
            hw_validate=_hw_validate,
            plan=_plan,
            price=_price,
            profile=_profile,
        )
    )
