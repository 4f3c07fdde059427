"""The commands below `hw`.

Imports are late, so that a command waits only for what it needs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich.console import Console

from neurt.requests.base import Request
from neurt.requests.others import DiffRequest, NewRequest, ShowRequest, ValidateRequest


def list_(_request: Request, console: Console) -> None:
    """Print one line per profile."""
    from reports.hardware.profile import profiles_table
    from reports.kit.table import print_table

    print_table(profiles_table(), console)


def show_(request: ShowRequest, console: Console) -> None:
    """Print every number of one profile."""
    from hwmodels import load_profile
    from reports.hardware.profile import print_profile

    print_profile(load_profile(request.name), console)


def diff_(request: DiffRequest, console: Console) -> None:
    """Print what differs between two profiles."""
    from hwmodels import load_profile
    from reports.hardware.profile import print_differences

    print_differences(load_profile(request.a), load_profile(request.b), console)


def new_(request: NewRequest, _console: Console) -> None:
    """Write a profile to fill in; raises OutputError or ProfileError if it is there already."""
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


def validate_(request: ValidateRequest, _console: Console) -> None:
    """Check all precisions of a file."""
    from hwmodels.catalog import read_profiles

    for profile in read_profiles(request.file):
        prices = len(profile.prices)
        print(f"{request.file}: valid profile '{profile.name}', {prices} prices")


def schema_(_request: Request, _console: Console) -> None:
    """Print the JSON Schema of a profile."""
    from hwmodels.schema import file_schema

    print(json.dumps(file_schema(), indent=2))
