"""The flags of `sensitivity`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.verbs.flags_pass import add_execution_flags, add_hw_flag
from neurt.verbs.flags_training import at_least


def add_sensitivity_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    command = verbs.add_parser(
        "sensitivity",
        help="which constant of the hardware moves the saving most, and how sure the saving is",
    )
    command.add_argument(
        "counts",
        type=Path,
        metavar="RUN",
        help="the directory of a run, or its counts.csv: with an analog (asa) and a spiking (ssa) "
        "variant",
    )
    add_hw_flag(command)
    command.add_argument(
        "--block",
        choices=("attention", "ffn", "model"),
        default="attention",
        help="whose saving is taken apart; the table has all (default: attention)",
    )
    command.add_argument(
        "--samples",
        type=at_least(1),
        default=10_000,
        metavar="N",
        help="draws of all constants for the interval (default: 10000)",
    )
    command.add_argument(
        "--seed", type=at_least(0), default=0, metavar="N", help="of the draws (default: 0)"
    )
    add_execution_flags(command)
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: that of the counts)"
    )
    command.set_defaults(run=handler)
