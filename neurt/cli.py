"""The command line. It turns words into a request and errors into one line; it holds no logic."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence

from hwmodels.errors import UserError
from neurt.verbs.commands import COMMANDS
from neurt.verbs.flags import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 on success, 1 on an error that is explained in one line, 130 when interrupted. Words
        that argparse cannot parse end the process with 2.
    """
    # One idle process spinning beside another makes both ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    gc.set_threshold(100_000)  # a command keeps what it makes: the search was a tenth of its time
    request = command_line().parse_args(arguments)
    try:
        request.run(request)
    except KeyboardInterrupt:
        print("neurt-energy: interrupted; files already in place are whole", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, say) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UserError as error:
        print(f"neurt-energy: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def command_line() -> argparse.ArgumentParser:
    """The parser of the command line, with the handler of each command."""
    return parser(COMMANDS)


if __name__ == "__main__":  # accelerate launch ... -m neurt.cli
    sys.exit(main())
