"""The commands of the command line and their flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from neurt.verbs.flags_breakeven import add_breakeven_command
from neurt.verbs.flags_check import add_check_command
from neurt.verbs.flags_conversion import add_conversion_flags
from neurt.verbs.flags_convert import add_convert_command
from neurt.verbs.flags_count import add_count_command
from neurt.verbs.flags_evaluate import add_evaluate_command
from neurt.verbs.flags_finetune import add_finetune_command
from neurt.verbs.flags_hw import add_hw_commands
from neurt.verbs.flags_pass import add_measuring_flags, add_pass_flags
from neurt.verbs.flags_price import add_price_command
from neurt.verbs.flags_report import add_report_command
from neurt.verbs.flags_reproduce import add_reproduce_command
from neurt.verbs.flags_sensitivity import add_sensitivity_command
from neurt.verbs.flags_sweep import add_sweep_command
from neurt.verbs.flags_training import add_training_commands

EPILOG = """examples:
  neurt-energy profile --model gpt2-small --hw 45nm
  neurt-energy profile --model ./my-gpt2 --hw 45nm --hw loihi --phase decode --context 512
  neurt-energy plan --model gpt2-xl --hw 45nm --seq-len 1000 --spike-rate 0.15
  neurt-energy plan --model gpt2-small --hw 7nm --prompt 512 --generate 128
  neurt-energy count --model ./my-gpt-neox --hw 45nm --phase decode --context 1024
  neurt-energy convert --model gpt2-nano --form softmax --code pow2 --out my-spiking-gpt2
  neurt-energy evaluate --model gpt2-nano --form softmax --code pow2
  neurt-energy sweep --model gpt2-nano --jobs 2
  neurt-energy finetune --model gpt2-nano --text sotu --out my-spiking-gpt2
  neurt-energy price counts.csv --hw my-chip.toml --dataflow event-driven
  neurt-energy breakeven --model gpt2-small --hw 45nm --timesteps 4
  neurt-energy sensitivity runs/first --hw 45nm
  neurt-energy report runs/first runs/second --compare
  neurt-energy reproduce --models gpt2-small gpt2-medium
  neurt-energy check claims.csv
  neurt-energy hw show 45nm
"""


Handler = Callable[[argparse.Namespace], None]


@dataclass(frozen=True)
class Commands:
    """What runs for each command; `hw` has several of its own."""

    breakeven: Handler
    check: Handler
    convert: Handler
    count: Handler
    evaluate: Handler
    finetune: Handler
    hw: Mapping[str, Handler]
    plan: Handler
    pretrain: Handler
    price: Handler
    profile: Handler
    report: Handler
    reproduce: Handler
    sensitivity: Handler
    sweep: Handler


def parser(commands: Commands) -> argparse.ArgumentParser:
    """The commands and their flags; each parsed request has its handler as `run`."""
    top = argparse.ArgumentParser(
        prog="neurt-energy",
        description="How much energy a language model costs, and what a spiking version saves.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    profile = verbs.add_parser("profile", help="measure a model and its spiking conversion")
    add_pass_flags(profile)
    add_measuring_flags(profile)
    profile.set_defaults(run=commands.profile)

    plan = verbs.add_parser("plan", help="the same table in closed form, without weights")
    add_pass_flags(plan)
    plan.add_argument(
        "--spike-rate",
        type=_share,
        default=0.2,
        metavar="RATE",
        help="spikes per slot, everywhere (default: 0.2)",
    )
    plan.set_defaults(run=commands.plan)

    add_count_command(verbs, commands.count)
    add_convert_command(verbs, commands.convert)
    add_conversion_flags(add_evaluate_command(verbs, commands.evaluate))
    add_sweep_command(verbs, commands.sweep)
    add_training_commands(verbs, commands.pretrain)
    add_conversion_flags(add_finetune_command(verbs, commands.finetune))
    add_price_command(verbs, commands.price)
    add_report_command(verbs, commands.report)
    add_reproduce_command(verbs, commands.reproduce)
    add_breakeven_command(verbs, commands.breakeven)
    add_sensitivity_command(verbs, commands.sensitivity)
    add_check_command(verbs, commands.check)
    add_hw_commands(verbs, commands.hw)
    return top


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {value}")
    return value
