"""What has to be so before a library is imported, which commands do late or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path

from hwmodels.errors import UserError

#: What is imported by a command that needs transformers; of a grid, the processes do it.
_TRANSFORMERS = ("transformers", "neurt.grid.side_by_side")


@contextmanager
def prepared_libraries() -> Iterator[None]:
    """Look after the imports of a command.

    Matplotlib does not log where it keeps its cache, nor that it had to take a temporary directory
    because that of the user (`MPLCONFIGDIR`, or in the home) cannot be written. Python without
    docstrings ends the commands that need transformers, and no others.

    Raises:
        UserError: Where transformers is imported without docstrings, which it reads.
    """
    finder = _Preparing()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Preparing(MetaPathFinder):
    """Finds nothing; is asked before each import."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "matplotlib":
            import logging

            logging.getLogger("matplotlib").setLevel(logging.ERROR)
            try:
                Path(os.environ.get("MPLCONFIGDIR", "")).resolve()
            except (OSError, RuntimeError):  # links in a circle, which matplotlib does not expect
                os.environ.pop("MPLCONFIGDIR", None)
        elif fullname in _TRANSFORMERS and sys.flags.optimize > 1:
            raise UserError(
                "this command needs transformers, which reads docstrings, and Python runs without "
                "them (PYTHONOPTIMIZE=2 or -OO); unset it, or choose 1"
            )
