"""Commands in processes of their own, which are killed where they are asked to be."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import SimpleNamespace
from typing import NamedTuple

#: A command on these small inputs takes 1-3 s; one that takes this long hangs.
MAX_SECONDS = 90
#: Calls that change what is on the disk, as Python's audit hooks name them.
_CALLS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate")


class Kill(NamedTuple):
    """When a process is killed."""

    seconds: float | None = None  #: after its start
    call: int | None = None  #: at this of its calls that change what is on the disk


NEVER = Kill()


class Passed(NamedTuple):
    """What a process did to the disk until its end."""

    calls: int
    states: dict[str, list[str]]  #: by name below `out`: SHA-256 of each file put in place there


def run(words: list[str], folder: Path, kill: Kill = NEVER) -> int:
    """Run a command in a folder, in a forked process; returns its exit status, or minus a signal.

    What it prints goes to `<folder>.said`.
    """
    child = os.fork()
    if not child:
        _become(words, folder, kill)
    if kill.seconds is not None:
        time.sleep(kill.seconds)
        os.kill(child, signal.SIGKILL)  # it is still to be waited for, so the number is its own
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def passed(folder: Path) -> Passed:
    """What the last process in a folder did that came to its end."""
    return Passed(*json.loads(_beside(folder, "passed").read_text()))


def said(folder: Path) -> str:
    """What the last process in a folder printed."""
    return _beside(folder, "said").read_text()


def digest(content: bytes) -> str:
    """A file in short; of safetensors whatever the order of its metadata."""
    start = 8 + int.from_bytes(content[:8], "little")
    if len(content) > start and content[8:9] == b"{":
        header = json.dumps(json.loads(content[8:start]), sort_keys=True)
        return sha256(header.encode() + content[start:]).hexdigest()
    return sha256(content).hexdigest()


def _beside(folder: Path, what: str) -> Path:
    return folder.parent / f"{folder.name}.{what}"


def _become(words: list[str], folder: Path, kill: Kill) -> None:
    """Be the process of a command; does not return."""
    code = 70
    try:
        signal.alarm(MAX_SECONDS)
        os.chdir(folder)
        output = os.open(_beside(folder, "said"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = sys.stdout
        calls, states = itertools.count(1), dict[str, list[str]]()
        sys.addaudithook(_watch(folder / "out", calls, states, kill))
        from neurt.cli import main

        code = main(words)
        sys.stdout.flush()
        _beside(folder, "passed").write_text(json.dumps([next(calls), states]))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _watch(
    out: Path, calls: itertools.count[int], states: dict[str, list[str]], kill: Kill
) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that counts calls, kills at one of them, and keeps what renames put in place.

    Files are put in place by nothing but renames: one that is written there otherwise has no state
    that is known here, and is a fault when it is found.
    """

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _CALLS or (event == "open" and arguments[1] in ("r", "rb", None)):
            return
        if next(calls) == kill.call:
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "os.rename" and kill == NEVER:
            made, place = Path(str(arguments[0])), Path(str(arguments[1])).absolute()
            # A step of a stream is a folder, which is put in place as a whole.
            inside = [made] if made.is_file() else [x for x in made.rglob("*") if x.is_file()]
            for path in inside if place.is_relative_to(out) else ():
                name = str(place.relative_to(out) / path.relative_to(made))
                states.setdefault(name, []).append(digest(path.read_bytes()))

    return watch


def preload() -> None:
    """Import all of the product for the processes to come, and stop its clocks."""
    import neurt.measure.planning

    # What no other run repeats: dates, and seconds. A step takes one here.
    neurt.measure.planning.now = lambda: "2026-01-01T00:00:00+00:00"
    for room in ("hwmodels", "energy", "reports", "neurt"):
        for module in walk_packages(import_module(room).__path__, f"{room}."):
            import_module(module.name)
    import neurt.learning.training

    steps = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(steps)))
    neurt.learning.training.time = clock  # type: ignore[assignment]
