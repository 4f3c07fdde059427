"""The flags of `finetune`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.requests.finetune import FinetuneRequest
from neurt.text.corpus import SOTU
from neurt.verbs.flags_conversion import add_calibration_flags, add_detokenise_flag
from neurt.verbs.flags_evaluate import add_model_flags
from neurt.verbs.flags_training import at_least, number


def add_finetune_command(
    verbs: Any, handler: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.

    Returns:
        Its parser, so that the flags of the conversion can be added.
    """
    finetune: argparse.ArgumentParser = verbs.add_parser(
        "finetune",
        help="convert a model and train its spiking version",
        epilog="several processes, on GPUs or CPUs: accelerate launch --multi_gpu "
        "--num_processes N -m neurt.cli finetune ... (its --cpu starts one process, whatever N)",
    )
    add_model_flags(finetune)
    finetune.add_argument(
        "--text",
        required=True,
        metavar="SOURCE",
        help="a UTF-8 text file, a directory of .txt files, or "
        f"{SOTU}: US presidential addresses, from the package of that name",
    )
    add_calibration_flags(finetune)
    add_detokenise_flag(finetune)
    finetune.add_argument(
        "--train",
        choices=("ssa", "thresholds", "all"),
        default="ssa",
        help="the attention blocks and all thresholds, thresholds only, or everything "
        "(default: ssa)",
    )
    count, amount = at_least(1), number(above=0)
    for flag, kind, metavar, what in (
        ("--layer-steps", at_least(0), "N", "steps of stage 1, each attention block by itself"),
        ("--steps", at_least(0), "N", "steps of stage 2, the whole model"),
        ("--batch", count, "N", "windows per step, over all processes"),
        ("--tokens", at_least(2), "N", "tokens per window"),
        ("--learning-rate", amount, "RATE", "after the warm-up; falls to a tenth"),
        ("--warmup-steps", at_least(0), "N", "steps in which the learning rate rises"),
        ("--clip", amount, "NORM", "largest norm of all gradients"),
        ("--seed", at_least(0), "N", "of the windows that are drawn"),
        ("--held-out-tokens", at_least(2), "N", "held-out tokens that a stage is judged on"),
        ("--save-every", count, "N", "steps between checkpoints"),
    ):
        default = FinetuneRequest.model_fields[flag[2:].replace("-", "_")].default
        finetune.add_argument(
            flag, type=kind, default=default, metavar=metavar, help=f"{what} (default: {default})"
        )
    finetune.add_argument(
        "--target-events-per-mac",
        type=amount,
        metavar="X",
        help="spend no more than X events per MAC of the attention block: sparser spikes are part "
        "of what stage 2 learns",
    )
    finetune.add_argument(
        "--no-baseline",
        dest="baseline",
        action="store_false",
        help="do not give the analog model the same training",
    )
    finetune.add_argument(
        "--save-dtype",
        choices=("float16", "float32"),
        default="float32",
        help="of the matrices in the model file (default: float32)",
    )
    finetune.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the model goes"
    )
    finetune.add_argument(
        "--resume", action="store_true", help="continue the training that was begun in DIR"
    )
    finetune.set_defaults(run=handler)
    return finetune
