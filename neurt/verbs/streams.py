"""Standard output and error that no reader, encoding or full disk can break."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

#: What a character is written as where an encoding has none for it; others are escaped.
_PLAINER = {"µ": "u", "×": "x", "–": "-", "−": "-", "±": "+-", "·": "*", "…": "..."}


class _Sink(io.RawIOBase):
    """A file that, after its first fault, takes in silence what is still written to it."""

    def __init__(self, file: io.RawIOBase) -> None:
        self.file = file
        self.fault: OSError | None = None

    def write(self, data: Any) -> int:
        if self.fault is None:
            try:
                written = self.file.write(data)
                if written is not None:
                    return written
                self.fault = OSError(None, "it takes nothing more")  # it does not wait for us
            except OSError as fault:
                self.fault = fault
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.file.fileno()

    def isatty(self) -> bool:
        return self.file.isatty()


@contextmanager
def guarded() -> Iterator[Callable[[], OSError | None]]:
    """Replace standard output and error by streams to which a write never raises.

    A stream that is closed leads nowhere: the next file that is opened would take its place, and
    get what is printed. A character that the encoding lacks is written in plainer ones.

    Yields:
        What tells, once all is printed, why standard output was not written to its end; None if
        it was.
    """
    codecs.register_error("neurt-plainer", _plainer)
    before = sys.stdout, sys.stderr
    _open_closed()
    out, sink = _over(sys.stdout)
    err, _ = _over(sys.stderr)

    def fault() -> OSError | None:
        out.flush()
        return sink.fault if sink else None

    sys.stdout, sys.stderr = out, err
    try:
        yield fault
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _open_closed() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest that is free
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _over(stream: TextIO | None) -> tuple[TextIO, _Sink | None]:
    """A stream over the same file; what is no file of the system (in a test) stays as it is."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8"), None
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, io.FileIO):
        return stream, None
    sink = _Sink(raw)
    made = io.TextIOWrapper(
        io.BufferedWriter(sink),
        encoding=stream.encoding,
        errors="neurt-plainer",
        line_buffering=raw.isatty() or stream is sys.stderr,
    )
    return made, sink


def _plainer(error: UnicodeError) -> tuple[str, int]:
    bad = cast(UnicodeEncodeError, error)
    missing = bad.object[bad.start : bad.end]
    return "".join(
        _PLAINER.get(x, x.encode("ascii", "backslashreplace").decode()) for x in missing
    ), bad.end
