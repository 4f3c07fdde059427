"""The flags of `reproduce`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.requests.reproduce import HARDWARE, MODELS
from neurt.spiking.config import Code, Form, KeyValue
from neurt.verbs.flags_conversion import factor, timesteps
from neurt.verbs.flags_pass import add_weights_flag
from neurt.verbs.flags_training import at_least


def add_reproduce_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    reproduce = verbs.add_parser(
        "reproduce",
        help="the published savings table, measured: models x time steps x constants",
        description="Measure ASA and SSA of each model, price both on each hardware, and write "
        "the table with the published range beside it: CSV, Markdown, LaTeX, picture.",
    )
    for flag, field, kind, choices, default, what in (
        ("--models", "models", str, None, MODELS, "names, directories or hub ids"),
        ("--timesteps", "timesteps", timesteps, None, (2, 4, 8), "spiking time steps"),
        ("--hw", "hw", str, None, HARDWARE, "hardware profiles, by name or .toml file"),
        ("--form", "forms", str, Form, (Form.SPIKFORMER,), "forms of the attention"),
        ("--code", "codes", str, Code, (Code.SIGNED_IF,), "codes of both blocks"),
        (
            "--key-value",
            "key_values",
            str,
            KeyValue,
            (KeyValue.STORED,),
            "softmax attention finds K and V stored as analog values, or streams their events too",
        ),
        (
            "--attention",
            "attention",
            str,
            ("full", "causal"),
            ("full",),
            "count all query-key pairs, or the causal half",
        ),
    ):
        words = [str(word) for word in default]
        reproduce.add_argument(
            flag,
            dest=field,
            type=kind,
            nargs="+",
            choices=[str(choice) for choice in choices] if choices else None,
            default=list(default) if kind is timesteps else words,
            metavar=None if choices else "T" if kind is timesteps else "NAME",
            help=f"{what} (default: {' '.join(words)})",
        )
    reproduce.add_argument(
        "--tokens",
        type=at_least(1),
        default=128,
        metavar="N",
        help="tokens of the prefill (default: 128)",
    )
    add_weights_flag(reproduce)
    reproduce.add_argument(
        "--seed", type=int, default=0, help="seed of random weights (default: 0)"
    )
    reproduce.add_argument(
        "--text", type=Path, metavar="FILE", help="UTF-8 text to run on (default: the model's own)"
    )
    reproduce.add_argument(
        "--jobs",
        type=at_least(1),
        metavar="N",
        help="processes side by side (default: one per core)",
    )
    reproduce.add_argument(
        "--memory",
        dest="memory_gib",
        type=factor,
        metavar="GIB",
        help="GiB that all processes may take together; fewer run side by side where more would "
        "not fit (default: half of this machine's)",
    )
    reproduce.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="output directory; what is measured there is not measured again "
        "(default: runs/reproduce)",
    )
    reproduce.set_defaults(run=handler)
