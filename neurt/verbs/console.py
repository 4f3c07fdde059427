"""What the commands say, and where."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.cells import from_cell
from hwmodels.plain import printable_lines
from neurt.loading.source import resolve
from neurt.requests.base import RequestError

if TYPE_CHECKING:
    from rich.console import Console

    from neurt.requests.evaluate import EvaluateRequest
    from neurt.requests.passes import ProfileRequest
    from neurt.requests.training import FinetuneRequest

    Converts = EvaluateRequest | FinetuneRequest | ProfileRequest

#: A pipe has no width of its own; tables are made for a wide one rather than cut.
PIPE_COLUMNS = 132
#: What a terminal is taken to have at least and at most, whatever it says.
LEAST_COLUMNS, MOST_COLUMNS = 20, 1000


def terminal_console(*, aside: bool = False, quiet: bool = False) -> Console:
    """Where a command talks: standard output as wide as it is, or standard error (`aside`)."""
    from rich.console import Console  # late: a command that prints no table does not wait for it

    class Plain(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            """Print; no name in a text commands the terminal."""
            texts = (printable_lines(x) if isinstance(x, str) else x for x in objects)
            super().print(*texts, **options)

    stream = sys.stderr if aside else sys.stdout
    terminal = stream.isatty()
    made = Plain(
        file=stream,
        quiet=quiet,
        width=None if terminal else PIPE_COLUMNS,
        highlight=False,
        markup=False,
        soft_wrap=not terminal,
    )
    # COLUMNS may say anything.
    made.width = min(max(made.width, LEAST_COLUMNS), MOST_COLUMNS)
    return made


def check_free(directory: Path, record: str, what: str, force: bool) -> None:
    """Raise OutputError if a directory cannot be written, or holds a record and not `force`."""
    from reports.kit.files import OutputError, check_directory

    check_directory(directory)
    if (directory / record).exists() and not force:
        raise OutputError(
            f"output directory '{directory}' already holds a {what}; choose another --out, or "
            "--force to replace it"
        )


def refuse_conversion(request: Converts) -> None:
    """Raise RequestError if a conversion is asked of a model that is converted already."""
    given = request.model_fields_set & {"calibration", "calibration_tokens"}
    asked = given or request.spiking != type(request.spiking)()
    if asked and resolve(request.model).is_converted:
        raise RequestError(
            f"'{request.model}' is a converted model and keeps its conversion; leave out the flags "
            "of the conversion and of its calibration, or give the analog model"
        )


def say(console: Console) -> Callable[[str], None]:
    """Prints a line as it is."""
    return lambda line: console.print(line, markup=False)


def print_files(files: Sequence[Path], directory: Path, console: Console) -> None:
    """Say which files were written where."""
    names = ", ".join(str(path.relative_to(directory)) for path in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)


def results(files: Sequence[Path]) -> object:
    """What `--json` prints: the record of a run if one was written, else the rows of each table."""
    records = [path for path in files if path.suffix == ".json"]
    if records:
        read = [json.loads(path.read_text(encoding="utf-8")) for path in records]
        return read[0] if len(read) == 1 else read
    return {path.stem: _rows(path) for path in files if path.suffix == ".csv"}


def _rows(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> object:
    """A cell of a CSV as JSON has it; a cell without a value is null."""
    try:
        value = json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return from_cell(text) or None
    number = isinstance(value, int) or (isinstance(value, float) and isfinite(value))
    return value if number else from_cell(text)
