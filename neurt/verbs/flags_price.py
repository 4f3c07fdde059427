"""The flags of `price`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurt.verbs.flags_pass import add_execution_flags, add_hw_flag

#: How counts become energy: our own bill, or a published model of the whole machine.
ACCOUNTINGS = ("bill", "lemaire", "lemaire-printed")


def add_price_command(verbs: Any, handler: Callable[[argparse.Namespace], None]) -> None:
    """Add the command.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handler: Runs it; becomes `run` of the parsed request.
    """
    price = verbs.add_parser("price", help="price a table of counts")
    price.add_argument("counts", type=Path, help="a CSV with at least: layer, mac, ac")
    add_hw_flag(price)
    add_execution_flags(price)
    price.add_argument(
        "--accounting",
        choices=ACCOUNTINGS,
        default=ACCOUNTINGS[0],
        help="bill: every operation at the price of the profile; lemaire: the model of Lemaire et "
        "al. 2022, which has a dataflow of its own; lemaire-printed: with its Eq. 2.4 as printed "
        "(default: bill)",
    )
    price.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where energy.csv goes (default: .)"
    )
    price.set_defaults(run=handler)
