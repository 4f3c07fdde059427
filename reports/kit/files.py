"""Files that are either the old one or the new one, never half."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from hwmodels.errors import UserError


class OutputError(UserError, OSError):
    """An output that cannot be written."""


def check_directory(path: Path) -> Path:
    """Make sure that a directory could be made and takes files, before any work is done.

    Leaves nothing behind, so that work that fails leaves no empty directory.

    Raises:
        OutputError: If it could not.
    """
    missing = [part for part in (path, *path.parents) if not part.exists()]
    prepare_directory(path)
    for part in missing:
        part.rmdir()
    return path


def prepare_directory(path: Path) -> Path:
    """Make sure that a directory exists and takes files.

    Raises:
        OutputError: If it does not.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(
            f"output directory '{path}' cannot be written: {error.strerror or error}; choose "
            "another --out"
        ) from error
    return path


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file under another name, then put it in place in one step.

    `write` is given a path with the same suffix, so that a library can see the format.

    Raises:
        OutputError: If it cannot be written; an older file is then still whole.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"'{path}' cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is not there, or its folder is none
            temporary.unlink()
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text with Unix line ends."""
    return write_atomically(path, lambda p: p.write_text(text, encoding="utf-8", newline="\n"))


def slugs(names: Iterable[str]) -> list[str]:
    """A part of a file name for each name, all different."""
    made: list[str] = []
    for name in names:
        stem = slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
        number = 2
        while slug in made:
            slug, number = f"{stem}-{number}", number + 1
        made.append(slug)
    return made
