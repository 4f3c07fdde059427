"""The flags of `breakeven`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hwmodels import Dataflow
from neurt.verbs.flags_conversion import add_conversion_flags
from neurt.verbs.flags_pass import add_attention_flag
from neurt.verbs.flags_training import at_least

#: Inputs or outputs of a layer beyond which a shape is taken for a slip.
_WIDEST = 10_000_000


def add_breakeven_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    breakeven = verbs.add_parser(
        "breakeven",
        help="the spike rates at which spikes stop saving energy, and a run beside them",
    )
    breakeven.add_argument(
        "--hw",
        action="append",
        required=True,
        metavar="NAME",
        help="hardware profile, by name or .toml file; may be repeated",
    )
    breakeven.add_argument(
        "--model",
        help="a model of which the sizes are known (default: gpt2-small, unless a shape or a run "
        "is given)",
    )
    breakeven.add_argument(
        "--shape",
        dest="shapes",
        type=shape,
        nargs="+",
        action="extend",
        default=[],
        metavar="INxOUT",
        help="a linear layer with its coder, for example 768x3072",
    )
    breakeven.add_argument(
        "--run",
        dest="counts",
        type=Path,
        metavar="DIR",
        help="a directory of `profile`, or its counts.csv: each layer is marked below or above "
        "(its own time steps, phase and code count)",
    )
    breakeven.add_argument(
        "--phase",
        choices=("prefill", "decode"),
        default="prefill",
        help="whole sequences, or one new token through a cache (default: prefill)",
    )
    for flag, default, what in (
        ("--seq-len", 128, "tokens in prefill"),
        ("--context", 128, "attended tokens in decode, the new one included"),
        ("--batch", 1, "sequences side by side"),
    ):
        breakeven.add_argument(
            flag,
            type=at_least(1),
            default=default,
            metavar="N",
            help=f"{what} (default: {default})",
        )
    add_attention_flag(breakeven)
    breakeven.add_argument(
        "--dataflow",
        choices=[str(dataflow) for dataflow in Dataflow],
        help="how often operands of spiking layers move (default: that of the profile)",
    )
    add_conversion_flags(breakeven)
    breakeven.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: runs/TIME-breakeven)"
    )
    breakeven.set_defaults(run=handler)


def shape(text: str) -> tuple[int, int]:
    """Read the shape of a linear layer, for argparse."""
    sizes = text.lower().split("x")
    if len(sizes) != 2 or not all(size.isdecimal() and len(size) < 20 for size in sizes):
        raise argparse.ArgumentTypeError(f"must be inputs x outputs, as in 768x3072, not {text!r}")
    fan_in, fan_out = (int(size) for size in sizes)
    if not (0 < fan_in <= _WIDEST and 0 < fan_out <= _WIDEST):
        raise argparse.ArgumentTypeError(f"sizes must be 1 to {_WIDEST:,}, not {text}")
    return fan_in, fan_out
