"""The flags of `report`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_report_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    command = verbs.add_parser(
        "report", help="make the report of a run again, or put several runs side by side"
    )
    command.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="the directory of a run; its run.json and counts.csv are read, and checked",
    )
    command.add_argument(
        "--compare",
        action="store_true",
        help="one table, picture and page with a line for each run and hardware, in place of a "
        "report of each",
    )
    command.add_argument(
        "--parquet",
        action="store_true",
        help="tables as Parquet too (pip install 'neurt-energy[parquet]')",
    )
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="output directory (default: runs/TIME-report)"
    )
    command.add_argument(
        "--force",
        action="store_true",
        help="write into a directory that holds files, and replace those of the same names",
    )
    command.set_defaults(run=handler)
