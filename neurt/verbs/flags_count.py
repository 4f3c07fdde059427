"""The flags of `count`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.verbs.flags_pass import add_attention_flag, add_hw_flag, add_weights_flag
from neurt.verbs.flags_training import at_least


def add_count_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    count = verbs.add_parser(
        "count",
        help="count and price an analog model alone, of any family",
        description="Count a forward pass of any decoder that transformers has a class for, "
        "without converting it, and price it.",
    )
    count.add_argument(
        "--model",
        required=True,
        help="any causal language model: a name, a directory in Hugging Face format, a GGUF file, "
        "or a hub id",
    )
    add_hw_flag(count)
    count.add_argument(
        "--phase",
        choices=("prefill", "decode"),
        default="prefill",
        help="whole sequences, or one new token through a cache (default: prefill)",
    )
    for flag, default, what in (
        ("--seq-len", 128, "tokens in prefill"),
        ("--context", 128, "attended tokens in decode, the new one included"),
        ("--batch", 1, "sequences side by side"),
        ("--windows", 1, "passes over the text"),
    ):
        count.add_argument(
            flag,
            type=at_least(1),
            default=default,
            metavar="N",
            help=f"{what} (default: {default})",
        )
    add_attention_flag(count)
    add_weights_flag(count)
    count.add_argument("--seed", type=int, default=0, help="seed of random weights (default: 0)")
    count.add_argument(
        "--text", type=Path, metavar="FILE", help="UTF-8 text to run on (default: Moby-Dick)"
    )
    count.add_argument(
        "--zeros",
        action="store_true",
        help="count the MACs of dense layers whose activation is zero",
    )
    count.add_argument(
        "--verify",
        action="store_true",
        help="compare every row with fvcore and, for a known family, with the plan",
    )
    count.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: runs/TIME-count-MODEL)"
    )
    count.add_argument(
        "--force", action="store_true", help="replace the count that the output directory holds"
    )
    count.set_defaults(run=handler)
