"""The commands below `hw`.

Imports are late, so that a command waits only for what it needs.
"""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from hwmodels.plain import several
from neurt.requests.base import Request
from neurt.requests.measured import FitRequest
from neurt.requests.shelf import (
    DiffRequest,
    ListRequest,
    NewRequest,
    ShowRequest,
    ValidateRequest,
)
from neurt.verbs.console import Notes, print_files, say


def list_(request: ListRequest, console: Console) -> object:
    """Print one line per profile, and one for each plug-in that is left out; or the shelf."""
    if request.measured:
        return _list_measured(console)
    from reports.hardware.profile import list_profiles
    from reports.kit.table import print_sentence, print_table

    table, left_out = list_profiles()
    print_table(table, console)
    for line in left_out:
        print_sentence(line, console, "yellow")
    return {"profiles": table.records(), "left_out": left_out}


def _list_measured(console: Console) -> object:
    """Print one line per measured figure."""
    from reports.measured.lines import shelf
    from reports.measured.table import lines_table, print_lines, shelf_table

    lines = shelf()
    print_lines(shelf_table(lines), console)
    return {"measured": lines_table(lines)}


def show_(request: ShowRequest, console: Console) -> object:
    """Print every number of one profile."""
    from hwmodels import load_profile
    from reports.hardware.profile import print_profile

    profile = load_profile(request.name)
    print_profile(profile, console)
    return profile.model_dump(mode="json", exclude_none=True)


def diff_(request: DiffRequest, console: Console) -> object:
    """Print what differs between two profiles."""
    from hwmodels import load_profile
    from reports.hardware.profile import differences_table, print_differences

    a, b = load_profile(request.a), load_profile(request.b)
    print_differences(a, b, console)
    return {"a": a.name, "b": b.name, "differences": differences_table(a, b).records()}


def new_(request: NewRequest, console: Console) -> object:
    """Write a profile to fill in; raises OutputError or ProfileError if it is there already."""
    from hwmodels import ProfileError, load_profile, profile_names
    from hwmodels.template import extension_template, template
    from reports.kit.files import OutputError, check_output

    if request.name in profile_names():
        raise ProfileError(f"hardware profile '{request.name}' is there already; take another name")
    path = check_output(request.out or Path(f"{request.name}.toml"))
    if path.exists() and not request.force:
        raise OutputError(f"'{path}' exists; choose another --out, or replace it with --force")
    extends = None if request.extends is None else _from(path, request.extends)
    if request.from_ is not None:
        return _new_from_table(request, path, extends, console)
    text = template(request.name)
    if request.extends is not None and extends is not None:
        text = extension_template(request.name, extends, load_profile(request.extends))
    files = _written(text, path)
    say(console)(f"Written to {path}; it is valid as it is, and its numbers are placeholders")
    return {"file": str(path), "files": files}


def _new_from_table(
    request: NewRequest, path: Path, extends: str | None, console: Console
) -> object:
    """Write the profile that a table of costs makes, and say what became of each row."""
    from hwmodels import Op, load_profile
    from hwmodels.catalog import parse_profile
    from hwmodels.usage import unpriced
    from reports.hardware.costs import read_costs
    from reports.hardware.costs_text import Frame, costs_table, costs_text, notes
    from reports.kit.files import OutputError
    from reports.kit.table import print_table

    assert request.from_ is not None
    if path.exists() and request.from_.exists() and path.samefile(request.from_):
        raise OutputError(f"'{path}' is the table of costs itself; choose another --out")
    costs = read_costs(request.from_, request.accesses)
    base = None if request.extends is None else load_profile(request.extends)
    text = costs_text(costs, Frame(request.name, extends, base, request.precision))
    profile = parse_profile(text, path)
    files, table, said = _written(text, path), costs_table(costs), Notes(console)
    print_table(table, console)
    for sentence in notes(costs, base):
        said(sentence.rstrip("."))
    if missing := unpriced(profile):
        said(f"Without a price, so in no sum: {', '.join(missing)}")
    code = " --code signed_if" if Op.SHIFT_AC in missing and Op.AC not in missing else ""
    plan = f"neurt-energy plan --model gpt2-small --hw {path}{code}"
    say(console)(f"Written to {path}; {plan} uses it")
    return {"file": str(path), "files": files, "costs": table, "notes": said}


def _written(text: str, path: Path) -> list[str]:
    """Write a profile, and beside it, unless it is there, the schema that editors check it by."""
    from hwmodels.schema import file_schema
    from hwmodels.template_text import SCHEMA_FILE
    from reports.kit.files import json_text, write_text

    files = [write_text(path, text)]
    schema = path.with_name(SCHEMA_FILE)
    if not schema.exists():
        files.append(write_text(schema, json_text(file_schema(), "the JSON Schema")))
    return [str(file) for file in files]


def fit_(request: FitRequest, console: Console) -> object:
    """Fit the prices of a whole chip and write a profile; OutputError if a file is there."""
    from neurt.measure.fitting import about_fit, run_fit
    from reports.kit.files import OutputError, check_output
    from reports.kit.progress import progress_bars
    from reports.serving.fitted import errors_table, otherwise_table, prices_table, print_fit
    from reports.serving.profile_text import profile_text
    from reports.serving.write import write_fit

    path = check_output(request.out or Path(request.measured.with_suffix(".toml").name))
    beside = [path.with_suffix(f".{suffix}") for suffix in request.pictures.suffixes]
    there = [file for file in (path, *beside) if file.exists()]
    if request.measured.exists() and any(map(request.measured.samefile, there)):
        raise OutputError(
            f"'{request.measured}' is the table of measured points itself, which a fit never "
            "replaces; choose another --out, such as my-gpu.toml"
        )
    if there and not request.force:
        raise OutputError(f"'{there[0]}' exists; choose another --out, or replace it with --force")
    notes = Notes(console)
    with progress_bars(console) as progress:
        fitted = run_fit(request, notes, progress)
    about = about_fit(request, fitted, path)
    text = profile_text(fitted.fit, fitted.parameters, about)
    files = write_fit(fitted.fit, text, path, about.title, about.source, request.pictures)
    print_fit(fitted.fit, fitted.parameters, fitted.otherwise, console)
    print_files(files, path.parent, console)
    return {
        "errors": errors_table(fitted.fit, fitted.parameters),
        "prices": prices_table(fitted.fit),
        "otherwise": otherwise_table(fitted.otherwise),
        "notes": notes,
        "files": [str(file) for file in files],
    }


def _from(path: Path, reference: str) -> str:
    # A file extends another by the path from where it is.
    from hwmodels import profile_names

    if reference in profile_names():
        return reference
    return Path(os.path.relpath(reference, path.parent)).as_posix()


def validate_(request: ValidateRequest, console: Console) -> object:
    """Print every fault and every doubt, a line each, and whose what a valid profile says is.

    Raises ProfileError if there is a fault.
    """
    from hwmodels import ProfileError
    from hwmodels.catalog import check_profile
    from hwmodels.plain import printable
    from reports.hardware.check import about, print_about

    told: set[str] = set()  # a precision repeats what is wrong with its file
    faults: list[str] = []
    doubts: list[str] = []
    checked = check_profile(request.file)
    for one in checked:
        faults += [f"{one.called}: {fault}" for fault in one.faults if fault not in told]
        doubts += [f"{one.called}: {doubt}" for doubt in one.doubts if doubt not in told]
        told |= {*one.faults, *one.doubts}
    for line in (*faults, *(f"doubtful: {doubt}" for doubt in doubts)):
        say(console)(printable(line))
    profiles = []
    for one in checked:
        if one.profile is not None:
            profiles.append(about(one.called, one.profile, one.origins))
            print_about(one.called, one.profile, profiles[-1], console)
    result = {
        "valid": [profile.name for profile in profiles],
        "profiles": [profile._asdict() for profile in profiles],
        "faults": faults,
        "doubts": doubts,
    }
    if faults:
        number = several(len(faults), "fault")
        raise ProfileError(f"hardware profile '{request.file}' has {number}", details=result)
    return result


def schema_(_request: Request, _console: Console) -> None:
    """Print the JSON Schema of a profile."""
    from hwmodels.schema import file_schema
    from reports.kit.files import json_text

    print(json_text(file_schema(), "the JSON Schema"), end="")
