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

from energy.counts import CountsError
from hwmodels import HardwareProfile, ProfileError
from neurt.gpt2 import ALIASES

if TYPE_CHECKING:
    from rich.console import Console

    from neurt.profiling import Progress

EPILOG = """examples:
  neurt-energy profile --model gpt2-small --hw 45nm
  neurt-energy profile --model ./my-gpt2 --hw 45nm --hw loihi --phase decode --context 512
  neurt-energy plan --model gpt2-xl --hw 45nm --seq-len 1000 --spike-rate 0.15
  neurt-energy price counts.csv --hw my-chip.toml
  neurt-energy hw show 45nm
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 on success, 1 on an error that is explained in one line, 130 when interrupted. Words
        that argparse cannot parse end the process with 2.
    """
    # One idle process spinning beside another makes both ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    request = parser().parse_args(arguments)
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


def parser() -> argparse.ArgumentParser:
    """The commands and their flags."""
    top = argparse.ArgumentParser(
        prog="neurt-energy",
        description="How much energy a language model costs, and what a spiking version saves.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    profile = commands.add_parser("profile", help="measure a model and its spiking conversion")
    _pass_flags(profile)
    profile.add_argument(
        "--weights",
        choices=("auto", "pretrained", "random"),
        default="auto",
        help="auto: from the cache or the hub, else random, and said so (default: auto)",
    )
    profile.add_argument("--seed", type=int, default=0, help="seed of random weights (default: 0)")
    profile.add_argument(
        "--text", type=Path, metavar="FILE", help="UTF-8 text to run on (default: Moby-Dick)"
    )
    profile.add_argument(
        "--verify", action="store_true", help="compare every row with fvcore and with the plan"
    )
    profile.set_defaults(run=_profile)

    plan = commands.add_parser("plan", help="the same table in closed form, without weights")
    _pass_flags(plan)
    plan.add_argument(
        "--spike-rate",
        type=_share,
        default=0.2,
        metavar="RATE",
        help="spikes per slot, everywhere (default: 0.2)",
    )
    plan.set_defaults(run=_plan)

    price = commands.add_parser("price", help="price a table of counts")
    price.add_argument("counts", type=Path, help="a CSV with at least: layer, mac, ac")
    _hw_flag(price)
    price.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where energy.csv goes (default: .)"
    )
    price.set_defaults(run=_price)

    hw = commands.add_parser("hw", help="hardware profiles")
    hw_commands = hw.add_subparsers(title="commands", required=True, metavar="COMMAND")
    hw_commands.add_parser("list", help="the profiles at hand").set_defaults(run=_hw_list)
    show = hw_commands.add_parser("show", help="every number of a profile, with its source")
    show.add_argument("name", help="a name from the list, or a .toml file")
    show.set_defaults(run=_hw_show)
    validate = hw_commands.add_parser("validate", help="check a profile of your own")
    validate.add_argument("file", type=Path, help="a .toml file")
    validate.set_defaults(run=_hw_validate)
    schema = hw_commands.add_parser("schema", help="the JSON Schema of a profile, for editors")
    schema.set_defaults(run=_hw_schema)
    return top


def _pass_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        required=True,
        help=f"{', '.join(ALIASES)}, a directory in Hugging Face format, or a hub id",
    )
    _hw_flag(command)
    command.add_argument(
        "--phase",
        choices=("prefill", "decode"),
        default="prefill",
        help="whole sequences, or one new token through a cache (default: prefill)",
    )
    command.add_argument(
        "--seq-len", type=_count, default=128, metavar="N", help="tokens in prefill (default: 128)"
    )
    command.add_argument(
        "--context",
        type=_count,
        default=128,
        metavar="N",
        help="attended tokens in decode, the new one included (default: 128)",
    )
    command.add_argument(
        "--batch", type=_count, default=1, metavar="N", help="sequences side by side (default: 1)"
    )
    command.add_argument(
        "--windows", type=_count, default=1, metavar="N", help="passes over the text (default: 1)"
    )
    command.add_argument(
        "--attention",
        choices=("full", "causal"),
        default="full",
        help="count all query-key pairs, or the causal half (default: full)",
    )
    command.add_argument(
        "--coincidences",
        action="store_true",
        help="in a product of two spike tensors, count only events that meet a spike",
    )
    command.add_argument(
        "--timesteps",
        type=_timesteps,
        default=4,
        metavar="T",
        help="spiking time steps, 1 to 64 (default: 4)",
    )
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: runs/TIME-MODEL)"
    )


def _hw_flag(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--hw",
        action="append",
        required=True,
        metavar="NAME",
        help="hardware profile, by name or .toml file; may be repeated",
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def _timesteps(text: str) -> int:
    value = _count(text)
    if value > 64:
        raise argparse.ArgumentTypeError(f"must be at most 64, not {value}")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {value}")
    return value


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
    from energy.counts import read_csv
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
