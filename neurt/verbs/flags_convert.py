"""The flags of `convert`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.verbs.flags_conversion import (
    add_calibration_flags,
    add_conversion_flags,
    add_detokenise_flag,
)
from neurt.verbs.flags_evaluate import add_model_flags
from neurt.verbs.flags_training import at_least


def add_convert_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    convert = verbs.add_parser(
        "convert",
        help="write the spiking version of a model as a Hugging Face directory",
        description="Convert a model, calibrate it on text, and write what any Hugging Face tool "
        "loads (after `import neurt.spiking.modeling`).",
    )
    add_model_flags(convert)
    convert.add_argument("--seed", type=int, default=0, help="seed of random weights (default: 0)")
    add_conversion_flags(convert)
    add_calibration_flags(convert)
    add_detokenise_flag(convert)
    convert.add_argument(
        "--window",
        type=at_least(2),
        metavar="N",
        help="tokens per window of the calibration text (default: the positions of the model, at "
        "most 256)",
    )
    convert.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new directory of the model"
    )
    convert.set_defaults(run=handler)
