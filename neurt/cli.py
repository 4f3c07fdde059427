"""The command line. It turns words into a request and errors into one line; it holds no logic."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

# All else is imported late: who interrupts that reads one line too.

_INTERRUPTED = "interrupted; files already in place are whole"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 on success, also where nobody reads the output to its end; 2 where the words make no
        sense, which is found out before a file is opened; 1 on any other error; 130 when
        interrupted. An error is explained in one line, and with `--json` on standard output too.
    """
    # One idle process spinning beside another makes both ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Pictures are not those of the user's own settings, nor of a backend that shows windows.
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        from neurt.verbs.answer import answer

        return answer(words)
    except KeyboardInterrupt:
        if arguments is None:  # this process ends: a second time, in silence
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(OSError):
            if sys.stderr is not None:
                print(f"neurt-energy: {_INTERRUPTED}", file=sys.stderr)
        return 130


if __name__ == "__main__":  # accelerate launch ... -m neurt.cli
    sys.exit(main())
