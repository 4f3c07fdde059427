"""The flags of `sweep`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.spiking.config import Code, DeadZone, Form
from neurt.verbs.flags_conversion import factor, timesteps
from neurt.verbs.flags_evaluate import add_reading_flags
from neurt.verbs.flags_training import at_least


def add_sweep_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    sweep = verbs.add_parser(
        "sweep",
        help="many conversions of one model: what each saves and costs in quality",
        conflict_handler="resolve",  # --out has another default than where it comes from
    )
    add_reading_flags(sweep)
    sweep.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="output directory; points that are known there are not evaluated again "
        "(default: runs/sweep-MODEL)",
    )
    for flag, kind, choices, default, what in (
        ("--forms", str, [str(x) for x in Form], [str(x) for x in Form], "of attention"),
        (
            "--codes",
            str,
            [str(x) for x in Code],
            [str(x) for x in Code if x is not Code.EXACT],
            "of both blocks",
        ),
        ("--timesteps", timesteps, None, [1, 2, 4, 8, 16], "spiking time steps"),
        ("--thresholds", factor, None, [0.5, 1.0, 2.0], "factors on calibrated thresholds"),
        ("--attention-thresholds", factor, None, [], "other factors for the attention block"),
        ("--calibrate", str, ["quantile", "mse"], ["mse"], "how a code finds its range"),
        ("--dead-zones", str, [str(x) for x in DeadZone], ["output"], "of pow2 in softmax form"),
    ):
        words = " ".join(str(x) for x in default) or "the same"
        sweep.add_argument(
            flag,
            type=kind,
            nargs="+",
            choices=choices,
            default=default,
            metavar=None if choices else "X",
            help=f"{what} (default: {words})",
        )
    sweep.add_argument(
        "--jobs",
        type=at_least(1),
        default=1,
        metavar="N",
        help="processes side by side (default: 1)",
    )
    sweep.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run on a Ray cluster whose machines see the same files; `local` starts one here",
    )
    sweep.set_defaults(run=handler)
