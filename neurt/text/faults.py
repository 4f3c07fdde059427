"""What the tokenizers library raises, as an error of one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hwmodels.errors import UserError
from hwmodels.plain import printable, shortened


@contextmanager
def tokenizer_faults(error: type[UserError], says: str) -> Iterator[None]:
    """Raise `error`, which `says` what failed and why, for anything that a tokenizer raises.

    The library raises bare Exceptions, and panics as a BaseException that it prints with a trace
    before; what it prints is left out. What is raised by this program passes.
    """
    try:
        with _without_standard_error():
            yield
    except UserError:
        raise
    except BaseException as fault:
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise  # Ctrl-C and the like
        lines = str(fault).strip().splitlines() or [type(fault).__name__]
        raise error(f"{says}: {shortened(printable(lines[0]), 160)}") from fault


@contextmanager
def _without_standard_error() -> Iterator[None]:
    """Nothing of what is printed past Python's own `sys.stderr`, where there is such a stream."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
