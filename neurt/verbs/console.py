"""What the commands say, and where."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energy.table import Table
from hwmodels.plain import printable_lines

if TYPE_CHECKING:
    from rich.console import Console

    from energy import Estimate
    from neurt.requests.hardware import Hardware

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
        width=None if terminal else _piped_columns(),
        highlight=False,
        markup=False,
        soft_wrap=not terminal,
    )
    # COLUMNS may say anything.
    made.width = min(max(made.width, LEAST_COLUMNS), MOST_COLUMNS)
    return made


def _piped_columns() -> int:
    """How wide a table in a pipe may be: `COLUMNS` where somebody says so."""
    said = os.environ.get("COLUMNS", "")
    return (int(said) if said.isdecimal() and len(said) <= len(str(MOST_COLUMNS)) else 0) or (
        PIPE_COLUMNS
    )


def check_free(
    directory: Path, record: str, what: str, force: bool, reads: Iterable[Path] = ()
) -> None:
    """Raise OutputError if a directory holds a record and not `force`, or if it is one of `reads`.

    No force replaces what is no regular file.

    Args:
        directory: The output directory.
        record: The file that shows that a result is there.
        what: What to call it.
        force: Whether it may be replaced.
        reads: Files that the command reads, which none of its own may replace.
    """
    from reports.kit.files import OutputError, check_output

    path = directory / record
    if path.exists():
        check_output(path)
    for read in reads:
        if path.exists() and read.exists() and path.samefile(read):
            raise OutputError(
                f"'{path}' is read, and what is written would replace it; choose another --out"
            )
    if path.exists() and not force:
        raise OutputError(
            f"output directory '{directory}' already holds a {what}; choose another --out, or "
            "--force to replace it"
        )


def say(console: Console) -> Callable[[str], None]:
    """Prints a line as it is."""
    return lambda line: console.print(line, markup=False)


def finished(directory: Path) -> str:
    """The sentence about a training that ended before."""
    return f"{directory} holds the model of this training, which is finished; nothing is left to do"


def print_files(files: Sequence[Path], directory: Path, console: Console) -> None:
    """Say which files were written where."""
    names = ", ".join(str(path.relative_to(directory)) for path in files)
    console.print(f"\nWritten to {directory}: {names}", markup=False)


class Notes(list[str]):
    """What was understood of a table, or left out of it: kept for `--json`, and printed."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def __call__(self, sentence: str) -> None:
        """Keep a sentence, and print it."""
        from reports.kit.table import print_sentence

        self.append(sentence)
        print_sentence(f"{sentence}.", self.console, "yellow")


def say_idle_prices(request: Hardware, bills: Iterable[Estimate], notes: Notes) -> None:
    """Say which prices that a request sets no bill uses."""
    if request.set:
        from neurt.measure.set_prices import idle_prices  # late: energy is numpy

        for sentence in idle_prices(request, bills):
            notes(sentence)


def results(result: object) -> object:
    """What `--json` prints of what a command returned.

    Of files it is the record of the run among them, not the card that repeats parts of it; of
    tables by name, their rows.
    """
    if isinstance(result, list):
        made = [path for path in result if path.suffix == ".json"]
        records = [path for path in made if path.name != "card.json"]
        read = [json.loads(path.read_text(encoding="utf-8")) for path in records]
        return read[0] if len(read) == 1 else read
    if isinstance(result, dict):
        return {
            name: value.records() if isinstance(value, Table) else value
            for name, value in result.items()
        }
    return result
