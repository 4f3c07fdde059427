"""What is not whole yet, and what of it the killed have left.

It lies beside its place in a directory of its own, called `.neurt-energy-` and sixteen random
digits, which is locked (`flock`) as long as its process lives. One that is not locked was left by a
process that was killed, in this container or another, and the next that writes there removes it.
File systems that lock no directories (some network ones) keep such remains.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

#: Begins the names of directories of unfinished files.
_UNFINISHED = ".neurt-energy-"


@contextmanager
def unfinished(directory: Path) -> Iterator[Path]:
    """A directory for files that are not whole yet, which goes with all that is still in it.

    Remains of processes that were killed are removed first.

    Raises:
        OSError: If it cannot be made.
    """
    for remains in directory.glob(f"{_UNFINISHED}*"):
        with suppress(OSError), locked(remains) as alone:
            shutil.rmtree(remains, ignore_errors=True) if alone else None
    with ExitStack() as held:
        while True:
            made = directory / f"{_UNFINISHED}{os.urandom(8).hex()}"
            made.mkdir()
            with suppress(BlockingIOError, FileNotFoundError):  # taken for remains before locked
                held.enter_context(locked(made))
                break
        held.callback(shutil.rmtree, made, ignore_errors=True)
        yield made


@contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Lock a directory until the end, or that of this process; false where none can be locked.

    Raises:
        BlockingIOError: If another process has locked it.
        FileNotFoundError: If it is gone, or another one by now.
    """
    if sys.platform == "win32":
        yield False
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            can = True
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            can = False
        if not os.path.samestat(os.fstat(handle), directory.stat()):
            raise FileNotFoundError(f"{directory} was replaced")
        yield can
    finally:
        os.close(handle)
