"""The flags that say which passes of which model are counted, and how they are executed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwmodels import Dataflow
from neurt.families import ALIASES
from neurt.loading.source import SHIPPED, SMOLLM2
from neurt.verbs.flags_conversion import (
    add_calibration_flags,
    add_conversion_flags,
    add_detokenise_flag,
    factor,
)
from neurt.verbs.flags_training import at_least


def add_pass_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of `neurt.requests.passes.PassRequest` to a command."""
    command.add_argument(
        "--model",
        required=True,
        help=f"{', '.join((*SHIPPED, *ALIASES, SMOLLM2))}, a directory in Hugging Face format, a "
        "config.json (plan), a .gguf file, or a hub id",
    )
    add_hw_flag(command)
    command.add_argument(
        "--phase",
        choices=("prefill", "decode"),
        help="whole sequences, or one new token through a cache (default: prefill)",
    )
    for flag, default, what in (
        ("--seq-len", 128, "tokens in prefill"),
        ("--context", 128, "attended tokens in decode, the new one included"),
        ("--prompt", None, "a whole request instead of one pass: tokens of its prompt"),
        ("--generate", None, "and new tokens, of which the prefill gives the first"),
        ("--batch", 1, "sequences side by side"),
        ("--windows", 1, "passes or requests over the text"),
    ):
        command.add_argument(
            flag,
            type=at_least(1),
            default=default,
            metavar="N",
            help=what if default is None else f"{what} (default: {default})",
        )
    add_attention_flag(command)
    command.add_argument(
        "--coincidences",
        action="store_true",
        help="in a product of two spike tensors, count only events that meet a spike",
    )
    add_conversion_flags(command)
    add_execution_flags(command)
    command.add_argument(
        "--mixed",
        action="store_true",
        help="add a comparison of the ANN at its own precision with an INT8 SNN to the baselines, "
        "labelled as not comparable",
    )
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: runs/TIME-MODEL)"
    )
    command.add_argument(
        "--force", action="store_true", help="replace the run that the output directory holds"
    )


def add_measuring_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags that `neurt.requests.passes.ProfileRequest` has beside those of a pass."""
    add_weights_flag(command)
    command.add_argument("--seed", type=int, default=0, help="seed of random weights (default: 0)")
    command.add_argument(
        "--text", type=Path, metavar="FILE", help="UTF-8 text to run on (default: Moby-Dick)"
    )
    add_calibration_flags(command)
    add_detokenise_flag(command)
    command.add_argument(
        "--verify", action="store_true", help="compare every row with fvcore and with the plan"
    )
    command.add_argument(
        "--zeros",
        action="store_true",
        help="count the MACs of dense layers whose activation is zero, for the baseline that "
        "skips them",
    )


def add_execution_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags that say how the hardware executes what was counted, and how long it takes."""
    add_dataflow_flag(command)
    command.add_argument(
        "--latency",
        dest="latency_s",
        action=_Latency,
        default={},
        metavar="VARIANT=SECONDS",
        help="seconds that all passes of asa, or of ssa, take on the hardware, for its static "
        "energy; may be repeated (default: from the throughput of the profile, else unpriced)",
    )


def add_dataflow_flag(command: argparse.ArgumentParser) -> None:
    """Add the flag that names a dataflow."""
    command.add_argument(
        "--dataflow",
        choices=[str(flow) for flow in Dataflow],
        help="how often operands of spiking layers move (default: as the profile says)",
    )


def add_attention_flag(command: argparse.ArgumentParser) -> None:
    """Add the flag that says which query-key pairs are counted."""
    command.add_argument(
        "--attention",
        choices=("full", "causal"),
        default="full",
        help="count all query-key pairs, or the causal half (default: full)",
    )


def add_weights_flag(command: argparse.ArgumentParser) -> None:
    """Add the flag that says which weights of a model are used."""
    command.add_argument(
        "--weights",
        choices=("auto", "pretrained", "random"),
        default="auto",
        help="auto: from the cache or the hub, else random, and said so (default: auto)",
    )


def add_hw_flag(command: argparse.ArgumentParser) -> None:
    """Add the flag that names hardware profiles."""
    command.add_argument(
        "--hw",
        action="append",
        required=True,
        metavar="NAME",
        help="hardware profile, by name or .toml file; may be repeated",
    )


class _Latency(argparse.Action):
    """Collects `asa=SECONDS` and `ssa=SECONDS` in a dictionary."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        variant, _, seconds = str(values).partition("=")
        known = getattr(namespace, self.dest)
        if variant not in ("asa", "ssa"):
            parser.error(
                f"argument {option_string}: must be asa=SECONDS or ssa=SECONDS, not {values!r}"
            )
        if variant in known:
            parser.error(f"argument {option_string}: {variant} is given more than once")
        try:
            setattr(namespace, self.dest, {**known, variant: factor(seconds)})
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument {option_string}: the seconds of {variant} {error}")
