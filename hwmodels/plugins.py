"""Profiles of installed plug-ins: the code of others, whatever it does."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import EntryPoint

from hwmodels.compose import as_table
from hwmodels.document import Document, validated
from hwmodels.profile import HardwareProfile, ProfileError


def plugged_in(point: EntryPoint) -> Document:
    """The profile of a plug-in. What it prints goes to standard error: the output is ours.

    Raises:
        ProfileError: If it raises anything at all, or makes no valid HardwareProfile.
    """
    plugin = f"hardware profile '{point.name}' of the plug-in '{point.value}'"
    try:
        with redirect_stdout(sys.stderr), _ctrl_c_apart():
            loaded = point.load()
            profile = loaded() if callable(loaded) else loaded
            # Dumped here: a profile that was made without validation may fail to.
            table = as_table(profile) if isinstance(profile, HardwareProfile) else None
    except _CtrlCError as error:
        raise KeyboardInterrupt from error
    except BaseException as error:  # KeyboardInterrupt too: this one is the plug-in's own
        raise ProfileError(f"{plugin} failed: {_said(error)}") from error
    if table is None:
        raise ProfileError(
            f"{plugin} is a {type(profile).__name__}; it must be a HardwareProfile or a function "
            "returning one"
        )
    validated(table, plugin)
    return Document(point.name, table)


def _said(error: BaseException) -> str:
    """The kind of an error and what it says, if it can."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its own __str__ fails
        return f"{type(error).__name__}, which cannot be shown"


class _CtrlCError(BaseException):
    """Ctrl-C of the user, while a plug-in runs."""


@contextmanager
def _ctrl_c_apart() -> Iterator[None]:
    """Let Ctrl-C be told from a KeyboardInterrupt that a plug-in raises."""
    default = signal.default_int_handler
    main = threading.current_thread() is threading.main_thread()  # the one that signals come to
    if not main or signal.getsignal(signal.SIGINT) is not default:
        yield
        return

    def interrupt(*_: object) -> None:
        raise _CtrlCError

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, default)
