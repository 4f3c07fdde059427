"""The flags of `evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.verbs.flags_conversion import add_calibration_flags, add_detokenise_flag
from neurt.verbs.flags_pass import add_attention_flag, add_dataflow_flag, add_weights_flag
from neurt.verbs.flags_training import at_least


def add_evaluate_command(
    verbs: Any, handler: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.

    Returns:
        Its parser, so that the flags of the conversion can be added.
    """
    evaluate: argparse.ArgumentParser = verbs.add_parser(
        "evaluate", help="perplexity and closeness of a spiking model beside its analog one"
    )
    add_reading_flags(evaluate)
    evaluate.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="analog model that a converted one is compared with (default: DIR/analog of --model "
        "DIR where there is one, else the analog model with the same parameters)",
    )
    evaluate.set_defaults(run=handler)
    return evaluate


def add_model_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags that say which model, and which weights of it."""
    command.add_argument(
        "--model",
        required=True,
        help="an analog model, which is converted, or a converted one: a name, a directory in "
        "Hugging Face format, or a hub id",
    )
    add_weights_flag(command)


def add_reading_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags that say which model reads which text how."""
    add_model_flags(command)
    command.add_argument("--seed", type=int, default=0, help="seed of random weights (default: 0)")
    command.add_argument(
        "--hw",
        action="append",
        default=[],
        metavar="NAME",
        help="hardware profile, by name or .toml file; may be repeated (default: 45nm)",
    )
    command.add_argument(
        "--text", type=Path, metavar="FILE", help="UTF-8 text to read (default: the model's own)"
    )
    add_calibration_flags(command)
    add_detokenise_flag(command)
    command.add_argument(
        "--max-tokens",
        type=at_least(2),
        default=8192,
        metavar="N",
        help="read no more than the first N tokens (default: 8192)",
    )
    command.add_argument(
        "--window",
        type=at_least(2),
        metavar="N",
        help="tokens per window (default: the positions of the model, at most 256)",
    )
    command.add_argument(
        "--stride",
        type=at_least(1),
        metavar="N",
        help="tokens from one window to the next (default: half a window)",
    )
    command.add_argument(
        "--batch", type=at_least(1), default=1, metavar="N", help="windows at a time (default: 1)"
    )
    add_dataflow_flag(command)
    add_attention_flag(command)
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: runs/TIME-MODEL)"
    )
