"""From words to what is printed and the exit status: errors in one line, JSON whole."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import warnings

from hwmodels.errors import Caution, UserError
from hwmodels.plain import MAX_SENTENCE, printable, shortened
from neurt.verbs.commands import parse, parser
from neurt.verbs.console import results, terminal_console
from neurt.verbs.libraries import prepared_libraries
from neurt.verbs.parser import UsageError
from neurt.verbs.streams import guarded


def answer(words: list[str]) -> int:
    """Run a command; returns its exit status, as `neurt.cli.main` says."""
    # A command keeps what it makes: to look for garbage, at its end too, was a tenth of its time.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser())
    warnings.formatwarning = _warning_line
    with guarded() as output_fault:
        status = _status(words)
        fault = output_fault()
        if fault is not None and fault.errno != errno.EPIPE:  # a reader may have seen enough
            reason = fault.strerror or str(fault)
            _complain(f"standard output cannot be written: {reason}; files in place are whole")
            return status or 1
        return status


def _status(words: list[str]) -> int:
    try:
        _run(words)
    except UserError as error:
        sentence = _complain(str(error), "" if not isinstance(error, UsageError) else error.way_out)
        if any(len(word) > 3 and "--json".startswith(word) for word in words):
            _print_json({"error": sentence, **error.details}, None)
        return 2 if isinstance(error, UsageError) else 1
    except MemoryError:
        _complain("this machine has too little memory for that; files already in place are whole")
        return 1
    except SystemExit as end:  # --help, --version
        return end.code if isinstance(end.code, int) else 0
    return 0


def _run(words: list[str]) -> None:
    asked = parse(words)
    if asked.quiet:
        warnings.simplefilter("ignore", Caution)
    with prepared_libraries():
        result = asked.run(terminal_console(aside=asked.json, quiet=asked.quiet))
    if asked.json:
        _print_json(results(result))


def _print_json(value: object, indent: int | None = 2) -> None:
    from reports.kit.files import json_text  # late: most errors print none

    print(json_text(value, "the JSON", indent), end="")


_formatwarning = warnings.formatwarning


def _warning_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A warning as it is printed: one of ours in a line, as errors are."""
    if issubclass(category, Caution):
        return f"neurt-energy: warning: {printable(' '.join(str(message).split()))}\n"
    return _formatwarning(message, category, filename, lineno, line)


def _complain(sentence: str, way_out: str = "") -> str:
    """Print an error in one line that any terminal and any log can take; returns its sentence."""
    start = "neurt-energy: "
    line = printable(" ".join(sentence.split()))
    line = shortened(line, MAX_SENTENCE - len(start) - len(way_out)) + way_out
    print(f"{start}{line}", file=sys.stderr)
    return line
