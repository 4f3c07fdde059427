"""The flags of the commands that train, in the order in which help shows them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.requests.training import PretrainRequest
from neurt.text.corpus import SOTU

Handler = Callable[[argparse.Namespace], None]


def add_training_commands(verbs: Any, pretrain_handler: Handler) -> None:
    """Add the commands to those of a parser.

    Args:
        verbs: What `ArgumentParser.add_subparsers` returned.
        pretrain_handler: Runs `pretrain`; it is given the fields of a `PretrainRequest`.
    """
    pretrain = verbs.add_parser("pretrain", help="train a small GPT-2 from scratch")
    pretrain.add_argument(
        "--text",
        required=True,
        metavar="SOURCE",
        help="a UTF-8 text file, a directory of .txt files, or "
        f"{SOTU}: US presidential addresses, from the package of that name",
    )
    count, amount = at_least(1), number(above=0)
    for flag, kind, metavar, what in (
        ("--layers", count, "N", "transformer layers"),
        ("--width", count, "N", "model width"),
        ("--heads", count, "N", "attention heads"),
        ("--vocabulary", count, "N", "entries of the tokenizer, which is trained first"),
        ("--positions", count, "N", "longest sequence of the model"),
        ("--steps", count, "N", "optimiser steps"),
        ("--batch", count, "N", "windows per step, over all processes"),
        ("--tokens", at_least(2), "N", "tokens per window"),
        ("--learning-rate", amount, "RATE", "after the warm-up; falls to a tenth"),
        ("--warmup-steps", at_least(0), "N", "steps in which the learning rate rises"),
        ("--weight-decay", number(least=0), "RATE", "of AdamW, for matrices"),
        ("--clip", amount, "NORM", "largest norm of all gradients"),
        ("--seed", at_least(0), "N", "of the first weights and of the windows"),
        ("--save-every", count, "N", "steps between checkpoints"),
    ):
        default = PretrainRequest.model_fields[flag[2:].replace("-", "_")].default
        pretrain.add_argument(
            flag, type=kind, default=default, metavar=metavar, help=f"{what} (default: {default})"
        )
    pretrain.add_argument(
        "--save-dtype",
        choices=("float16", "float32"),
        default="float32",
        help="of the weights in the model file (default: float32)",
    )
    pretrain.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the model goes"
    )
    pretrain.add_argument(
        "--resume", action="store_true", help="continue the training that was begun in DIR"
    )
    pretrain.set_defaults(run=pretrain_handler)


def at_least(least: int) -> Callable[[str], int]:
    """A reader of integers from `least` on, for argparse."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be an integer, not {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {value}")
        return value

    return read


def number(*, above: float = -math.inf, least: float = -math.inf) -> Callable[[str], float]:
    """A reader of finite numbers that are larger than `above` and at least `least`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
        if not math.isfinite(value) or value <= above or value < least:
            bound = f"above {above:g}" if above > -math.inf else f"at least {least:g}"
            raise argparse.ArgumentTypeError(f"must be finite and {bound}, not {value:g}")
        return value

    return read
