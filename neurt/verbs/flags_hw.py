"""The flags of `hw` and the commands below it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

A_PROFILE = "a name from the list, or a .toml file (FILE.toml:int8 for one of its precisions)"


def add_hw_commands(
    verbs: Any, handlers: Mapping[str, Callable[[argparse.Namespace], None]]
) -> None:
    """Add the commands.

    Args:
        verbs: Where commands are added (`ArgumentParser.add_subparsers`).
        handlers: What runs for `list`, `show`, `diff`, `new`, `validate` and `schema`; becomes
            `run` of the parsed request.
    """
    hw = verbs.add_parser("hw", help="hardware profiles")
    commands = hw.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, help_: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=help_)
        command.set_defaults(run=handlers[name])
        return command

    add("list", "the profiles at hand")
    add("show", "every number of a profile, with its source").add_argument("name", help=A_PROFILE)
    diff = add("diff", "what differs between two profiles, with both sources")
    diff.add_argument("a", help=A_PROFILE)
    diff.add_argument("b", help=A_PROFILE)
    new = add("new", "write a profile to fill in, every key explained")
    new.add_argument("name", help="its name")
    new.add_argument("--extends", metavar="NAME", help=f"start from {A_PROFILE}")
    new.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.toml")
    new.add_argument("--force", action="store_true", help="replace FILE if there is one")
    validate = add("validate", "check a profile of your own, all its precisions")
    validate.add_argument("file", type=Path, help="a .toml file")
    add("schema", "the JSON Schema of a profile, for editors")
