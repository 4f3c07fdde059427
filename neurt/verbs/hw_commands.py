"""What runs for the commands below `hw`.

Imports are late, so that a command waits only for what it needs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from neurt.verbs.console import terminal_console


def list_profiles(_request: argparse.Namespace) -> None:
    """Print one line per profile."""
    from reports.hardware.profile import print_profiles

    print_profiles(terminal_console())


def show(request: argparse.Namespace) -> None:
    """Print every number of one profile.

    Raises:
        ProfileError: If it cannot be loaded.
    """
    from hwmodels import load_profile
    from reports.hardware.profile import print_profile

    print_profile(load_profile(request.name), terminal_console())


def diff(request: argparse.Namespace) -> None:
    """Print what differs between two profiles.

    Raises:
        ProfileError: If one cannot be loaded.
    """
    from hwmodels import load_profile
    from reports.hardware.diff import print_differences

    print_differences(load_profile(request.a), load_profile(request.b), terminal_console())


def new(request: argparse.Namespace) -> None:
    """Write a profile to fill in.

    Raises:
        OutputError: If the file is there already, or cannot be written.
        ProfileError: If the name is taken or cannot be a name, or what it extends cannot be loaded.
    """
    from hwmodels import ProfileError, load_profile, profile_names
    from hwmodels.template import extension_template, template
    from reports.kit.files import OutputError, write_text

    if request.name in profile_names():
        raise ProfileError(f"hardware profile '{request.name}' is there already; take another name")
    path = request.out or Path(f"{request.name}.toml")
    text = template(request.name)
    if request.extends is not None:
        parent = load_profile(request.extends)
        text = extension_template(request.name, _from(path, request.extends), parent)
    if path.exists() and not request.force:
        raise OutputError(f"'{path}' exists; choose another --out, or replace it with --force")
    write_text(path, text)
    print(f"Written to {path}; it is valid as it is, and its numbers are placeholders")


def _from(path: Path, reference: str) -> str:
    # A file extends another by the path from where it is.
    from hwmodels import profile_names

    if reference in profile_names():
        return reference
    return Path(os.path.relpath(reference, path.parent)).as_posix()


def validate(request: argparse.Namespace) -> None:
    """Check all precisions of a file.

    Raises:
        ProfileError: If one does not follow the schema.
    """
    from hwmodels.catalog import read_profiles

    for profile in read_profiles(request.file):
        prices = len(profile.prices)
        print(f"{request.file}: valid profile '{profile.name}', {prices} prices")


def schema(_request: argparse.Namespace) -> None:
    """Print the JSON Schema of a profile."""
    from hwmodels.schema import file_schema

    print(json.dumps(file_schema(), indent=2))


HW_HANDLERS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "list": list_profiles,
    "show": show,
    "diff": diff,
    "new": new,
    "validate": validate,
    "schema": schema,
}
