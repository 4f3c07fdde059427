"""The flags of `check`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from energy.literature.claims import CLAIM_COLUMNS
from energy.literature.review import MAX_TOLERANCE, TOLERANCE


def add_check_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    check = verbs.add_parser(
        "check", help="do the energies that a paper prints agree with its own numbers?"
    )
    check.add_argument(
        "claims",
        type=Path,
        metavar="CLAIMS.csv",
        help=f"one row per claim; columns, of which any but the first may be missing or empty: "
        f"{', '.join(CLAIM_COLUMNS)}",
    )
    check.add_argument(
        "--hw",
        default="45nm",
        metavar="NAME",
        help="prices of claims that name none: a profile or a .toml file (default: 45nm)",
    )
    check.add_argument(
        "--tolerance",
        type=_tolerance,
        default=TOLERANCE,
        metavar="SHARE",
        help=f"relative difference put down to rounding (default: {TOLERANCE})",
    )
    check.add_argument("--out", type=Path, metavar="FILE", help="write the findings as CSV")
    check.set_defaults(run=handler)


def _tolerance(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= MAX_TOLERANCE:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to {MAX_TOLERANCE}")
    return share
