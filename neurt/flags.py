"""The commands of the command line and their flags, and how the words after a flag are read."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurt.flags_conversion import add_conversion_flags
from neurt.flags_evaluate import add_evaluate_command
from neurt.flags_finetune import add_finetune_command
from neurt.flags_sweep import add_sweep_command
from neurt.flags_training import add_training_commands, at_least
from neurt.gpt2 import ALIASES
from neurt.source import SHIPPED

EPILOG = """examples:
  neurt-energy profile --model gpt2-small --hw 45nm
  neurt-energy profile --model ./my-gpt2 --hw 45nm --hw loihi --phase decode --context 512
  neurt-energy plan --model gpt2-xl --hw 45nm --seq-len 1000 --spike-rate 0.15
  neurt-energy evaluate --model gpt2-nano --form softmax --code pow2
  neurt-energy sweep --model gpt2-nano --jobs 2
  neurt-energy finetune --model gpt2-nano --text sotu --out my-spiking-gpt2
  neurt-energy price counts.csv --hw my-chip.toml
  neurt-energy hw show 45nm
"""


Handler = Callable[[argparse.Namespace], None]


@dataclass(frozen=True)
class Commands:
    """What runs for each command."""

    evaluate: Handler
    finetune: Handler
    hw_list: Handler
    hw_schema: Handler
    hw_show: Handler
    hw_validate: Handler
    plan: Handler
    pretrain: Handler
    price: Handler
    profile: Handler
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
    profile.set_defaults(run=commands.profile)

    plan = verbs.add_parser("plan", help="the same table in closed form, without weights")
    _pass_flags(plan)
    plan.add_argument(
        "--spike-rate",
        type=_share,
        default=0.2,
        metavar="RATE",
        help="spikes per slot, everywhere (default: 0.2)",
    )
    plan.set_defaults(run=commands.plan)

    add_conversion_flags(add_evaluate_command(verbs, commands.evaluate))
    add_sweep_command(verbs, commands.sweep)
    add_training_commands(verbs, commands.pretrain)
    add_conversion_flags(add_finetune_command(verbs, commands.finetune))

    price = verbs.add_parser("price", help="price a table of counts")
    price.add_argument("counts", type=Path, help="a CSV with at least: layer, mac, ac")
    _hw_flag(price)
    price.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where energy.csv goes (default: .)"
    )
    price.set_defaults(run=commands.price)

    hw = verbs.add_parser("hw", help="hardware profiles")
    hw_commands = hw.add_subparsers(title="commands", required=True, metavar="COMMAND")
    hw_commands.add_parser("list", help="the profiles at hand").set_defaults(run=commands.hw_list)
    show = hw_commands.add_parser("show", help="every number of a profile, with its source")
    show.add_argument("name", help="a name from the list, or a .toml file")
    show.set_defaults(run=commands.hw_show)
    validate = hw_commands.add_parser("validate", help="check a profile of your own")
    validate.add_argument("file", type=Path, help="a .toml file")
    validate.set_defaults(run=commands.hw_validate)
    schema = hw_commands.add_parser("schema", help="the JSON Schema of a profile, for editors")
    schema.set_defaults(run=commands.hw_schema)
    return top


def _pass_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        required=True,
        help=f"{', '.join((*SHIPPED, *ALIASES))}, a directory in Hugging Face format, or a hub id",
    )
    _hw_flag(command)
    command.add_argument(
        "--phase",
        choices=("prefill", "decode"),
        default="prefill",
        help="whole sequences, or one new token through a cache (default: prefill)",
    )
    command.add_argument(
        "--seq-len",
        type=at_least(1),
        default=128,
        metavar="N",
        help="tokens in prefill (default: 128)",
    )
    command.add_argument(
        "--context",
        type=at_least(1),
        default=128,
        metavar="N",
        help="attended tokens in decode, the new one included (default: 128)",
    )
    command.add_argument(
        "--batch",
        type=at_least(1),
        default=1,
        metavar="N",
        help="sequences side by side (default: 1)",
    )
    command.add_argument(
        "--windows",
        type=at_least(1),
        default=1,
        metavar="N",
        help="passes over the text (default: 1)",
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
    add_conversion_flags(command)
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


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {value}")
    return value
