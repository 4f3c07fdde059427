"""The command line. It turns words into a request and errors into one line; it holds no logic."""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
from collections.abc import Sequence

from hwmodels.errors import UserError
from neurt.verbs.commands import parse, parser
from neurt.verbs.console import close, results, terminal_console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 on success, also where nobody reads the output to its end; 1 on an error that is
        explained in one line; 130 when interrupted. Words that cannot be parsed end the process
        with 2.
    """
    # One idle process spinning beside another makes both ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # A command keeps what it makes: to look for garbage, at its end too, was a tenth of its time.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    words = sys.argv[1:] if arguments is None else list(arguments)
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser())
    try:
        _run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("neurt-energy: interrupted; files already in place are whole", file=sys.stderr)
        return 130
    except BrokenPipeError:
        close(sys.stdout)  # Python would complain once more at exit
    except UserError as error:
        print(f"neurt-energy: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _run(words: list[str]) -> None:
    asked = parse(words)
    result = asked.command.handler(
        asked.request, terminal_console(aside=asked.json, quiet=asked.quiet)
    )
    if asked.json:
        print(json.dumps(results(result) if isinstance(result, list) else result, indent=2))


if __name__ == "__main__":  # accelerate launch ... -m neurt.cli
    sys.exit(main())
