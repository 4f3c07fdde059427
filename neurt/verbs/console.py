"""Where tables are printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: A pipe has no width of its own; tables are made for a wide one rather than cut.
PIPE_COLUMNS = 132


def terminal_console() -> Console:
    """Standard output, as wide as the terminal it is."""
    from rich.console import Console  # late: a command that prints no table does not wait for it

    terminal = sys.stdout.isatty()
    return Console(
        width=None if terminal else PIPE_COLUMNS, highlight=False, soft_wrap=not terminal
    )
