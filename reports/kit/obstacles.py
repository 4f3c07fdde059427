"""Why an output cannot be written, in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

from hwmodels.errors import UserError
from hwmodels.plain import quoted

#: What the system says where something else than a directory, or nothing, is in its place.
_IN_THE_WAY = (FileExistsError, FileNotFoundError, NotADirectoryError)


class OutputError(UserError, OSError):
    """An output that cannot be written."""


def unusable(path: Path, error: Exception) -> OutputError:
    """The error of an output directory that the system refuses."""
    return OutputError(
        f"output directory {shown(path)} cannot be written: {_why(path, error)}; choose another "
        "--out"
    )


def unwritable(path: Path, error: Exception) -> OutputError:
    """The error of a file that the system refuses."""
    return OutputError(f"{shown(path)} cannot be written: {_why(path, error)}")


def unfinished_result(path: Path, error: OutputError) -> OutputError:
    """The error of a command that was stopped by one, behind its first file."""
    return OutputError(
        f"{error}; what {shown(path)} holds is unfinished: give the command again, with --force "
        "or --resume if it asks for one"
    )


def shown(path: Path) -> str:
    """A path in an error, longer than other values may be."""
    return quoted(str(path), 180)


def _why(path: Path, error: Exception) -> object:
    if isinstance(error, _IN_THE_WAY):
        for part in (path, *path.parents):
            called = "it" if part == path else quoted(str(part))
            if part.is_symlink() and not part.exists():
                where = quoted(os.readlink(part))  # noqa: PTH115, a path as it is written
                return f"{called} is a symbolic link to {where}, which is not there"
            if part.is_file():
                return f"{called} is a file"
    return getattr(error, "strerror", None) or error
