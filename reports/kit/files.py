"""Files that are either the old one or the new one, never half; the directories they go to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hwmodels.inputs import check_file
from reports.kit.obstacles import OutputError as OutputError
from reports.kit.obstacles import shown, unfinished_result, unusable, unwritable
from reports.kit.slugs import MAX_SLUG
from reports.kit.unfinished import locked, unfinished

#: No name that is written below an output directory is as long.
_LONGEST = "n" * 2 * MAX_SLUG


@contextmanager
def output_directory(path: Path) -> Iterator[Path]:
    """Hold an output directory for one command, from before its work to its last file.

    It is made if need be, and goes again if it stays empty because the work failed.

    Raises:
        OutputError: Before anything is done, if it cannot be made, takes no files, or another
            process holds it. Later, if a file cannot be written: says so if others were.
    """
    missing = _missing(path)
    prepare_directory(path)
    with ExitStack() as held:
        try:
            held.enter_context(locked(Path(os.path.realpath(path))))
        except BlockingIOError as error:
            raise OutputError(
                f"output directory {shown(path)} is in use by another process; wait for its "
                "end, or choose another --out"
            ) from error
        except OSError as error:
            raise unusable(path, error) from error
        held.callback(_remove_empty, missing)
        before = _listing(path)
        try:
            yield path
        except OutputError as error:
            if isinstance(error.__cause__, OSError) and _listing(path) != before:
                raise unfinished_result(path, error) from error
            raise


def check_directory(path: Path) -> Path:
    """Make sure that a directory could be made and takes files, before any work is done.

    Leaves nothing behind, so that work that fails leaves no empty directory.

    Raises:
        OutputError: If it could not.
    """
    missing = _missing(path)
    prepare_directory(path)
    _remove_empty(missing)
    return path


def prepare_directory(path: Path | str) -> Path:
    """Make sure that a directory exists and takes files; removes remains of killed processes.

    Raises:
        OutputError: If it does not, or its path is too long for the files to come.
    """
    path = Path(path)
    missing = _missing(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            os.lstat(path / _LONGEST / _LONGEST)
        with unfinished(path):
            pass
    except (OSError, ValueError) as error:  # a null character is a ValueError
        _remove_empty(missing)
        raise unusable(path, error) from error
    return path


def check_output(path: Path) -> Path:
    """Make sure that a file could be written, before any work is done; leaves nothing behind.

    Raises:
        OutputError: If it could not, or something else than a regular file is there.
    """
    target = _target(path)
    missing = _missing(target.parent)
    prepare_directory(target.parent)
    try:
        _target(path)  # a name that is too long is told from a missing one in its directory only
    finally:
        _remove_empty(missing)
    return path


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` make a file elsewhere, then put it in place in one step.

    `write` is given a path with the same name. A symbolic link stays, and what it points to is
    replaced. The file has the mode that the umask says.

    Raises:
        OutputError: If it cannot be written, an older file is then still whole; or if something
            else than a regular file is there, which is never replaced.
    """
    target = _target(path)
    try:
        with unfinished(target.parent) as directory:
            write(directory / target.name)
            put(directory / target.name, path)
    except OutputError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def put(made: Path, path: Path) -> Path:
    """Put a whole file, made in a directory of `unfinished`, in place in one step.

    Raises:
        OutputError: As `write_atomically`.
    """
    target = _target(path)
    try:
        made.chmod(made.parent.stat().st_mode & 0o666)  # libraries give modes of their own
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(target)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def remove(path: Path) -> None:
    """Remove a file if it is there; a symbolic link stays, and what it points to goes.

    Raises:
        OutputError: If it cannot be removed, or is no regular file.
    """
    try:
        _target(path).unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{shown(path)} cannot be removed: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text with Unix line ends."""
    return write_texts(path, [text])


def write_texts(path: Path, texts: Iterable[str]) -> Path:
    """Write one text after the other, each as it is made; as `write_text` does."""

    def write(made: Path) -> None:
        with made.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(texts)

    return write_atomically(path, write)


def json_text(value: object, called: str, indent: int | None = 2, *, dense: bool = False) -> str:
    """A value as JSON: the one place that writes any.

    Args:
        value: What to write.
        called: What the error calls it.
        indent: Spaces per level; None for one line.
        dense: Whether to leave out spaces, and to sort keys.

    Raises:
        OutputError: If it holds a number that JSON has no word for.
    """
    separators = (",", ":") if dense else None
    try:
        text = json.dumps(
            value, indent=indent, separators=separators, sort_keys=dense, allow_nan=False
        )
    except ValueError as error:
        raise OutputError(
            f"{called} would hold an infinity or NaN, which JSON has no word for; the numbers that "
            "it is made of are too large"
        ) from error
    return text + "\n"


def write_json(path: Path, value: object) -> Path:
    """Write a value as JSON; raises OutputError as `json_text` and `write_atomically` do."""
    return write_text(path, json_text(value, f"'{path.name}'"))


def _target(path: Path) -> Path:
    """The file that a path means, behind symbolic links; only a regular one may be there."""
    try:
        target = Path(os.path.realpath(path))
        with suppress(FileNotFoundError):
            os.lstat(target)
            check_file(target, f"output {shown(path)}", OutputError, None)
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    return target


def _missing(path: Path) -> list[Path]:
    """The directories that are made with a directory, the deepest first."""
    return [part for part in (path, *path.parents) if not os.path.lexists(part)]


def _listing(directory: Path) -> dict[str, int]:
    """When each of the files of a directory was written."""
    with suppress(OSError), os.scandir(directory) as entries:
        return {
            entry.name: entry.stat(follow_symlinks=False).st_mtime_ns
            for entry in entries
            if not entry.name.startswith(".")
        }
    return {}


def _remove_empty(directories: Iterable[Path]) -> None:
    for directory in directories:
        with suppress(OSError, ValueError):  # it holds something, or was none
            directory.rmdir()
