"""Run commands in processes of their own, with bounds on time and memory."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .case import Case, Files

#: More than any command here has reason to write.
_LARGEST_FILE_BYTES = 2**28
#: Where files need no disk; None for where temporary ones are, on a machine that has no such place.
_MEMORY = next((path for path in ("/dev/shm",) if os.access(path, os.W_OK)), None)
#: What a command ends with after an exception that nobody caught.
UNCAUGHT = 70


@dataclass(frozen=True)
class Limits:
    """What a command may take."""

    cpu_s: float = 30.0  #: a machine that others use slows nothing down by this clock
    memory_bytes: int = 2 * 2**30  #: above what the process that starts it has


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int  #: exit status; minus the signal that ended it
    out: str
    err: str
    written: Files  #: what is there now and was not, or is another
    cpu_s: float = 0.0


def run(cases: Sequence[Case], limits: Limits) -> list[Outcome]:
    """Run each case in an empty folder that holds its files.

    All run in one process, since to start one takes as long as most commands; where a command ends
    it, the next ones have another.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < len(cases):
        outcomes += _in_one_process(cases[len(outcomes) :], limits)
    return outcomes


def _in_one_process(cases: Sequence[Case], limits: Limits) -> list[Outcome]:
    """The outcomes up to the first that ended the process."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY) as name:
        root = Path(name)
        for number, case in enumerate(cases):
            _lay_out(case, root / f"{number}" / "here")
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            _become(cases, root, writing, limits)
        os.close(writing)
        with open(reading) as pipe:  # noqa: PTH123
            ends = [line.split() for line in pipe]
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what a command started and left behind
        if len(ends) < len(cases):
            ends.append([str(os.waitstatus_to_exitcode(status)), "0"])
        return [
            _outcome(case, root / f"{number}", int(code), float(cpu_s))
            for number, (case, (code, cpu_s)) in enumerate(zip(cases, ends, strict=False))
        ]


def _lay_out(case: Case, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path, data in case.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def _outcome(case: Case, root: Path, code: int, cpu_s: float) -> Outcome:
    out, err = ((root / name).read_bytes().decode(errors="replace") for name in ("out", "err"))
    folder = root / "here"
    now = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    written = {path: data for path, data in now.items() if case.files.get(path) != data}
    return Outcome(code, out, err, written, cpu_s)


def _become(cases: Sequence[Case], root: Path, pipe: int, limits: Limits) -> None:
    """Be the process of these commands; does not return."""
    try:
        os.setpgid(0, 0)
        _bound(limits)
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115
        for number, case in enumerate(cases):
            began = time.process_time()
            code = _command(case.words, root / f"{number}", limits)
            os.write(pipe, f"{code} {time.process_time() - began}\n".encode())
    finally:
        os._exit(UNCAUGHT)


def _command(words: list[str], root: Path, limits: Limits) -> int:
    """Run one command, its output in files; returns its exit status."""
    from neurt.cli import main

    os.chdir(root / "here")
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(root / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    # By the time that it takes on the processor, and should it wait for something, by any clock.
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
    signal.setitimer(signal.ITIMER_REAL, 10 * limits.cpu_s)
    code = UNCAUGHT
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    return code


def _bound(limits: Limits) -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + limits.memory_bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for which in (signal.SIGPROF, signal.SIGALRM):  # they end it within a library too
        signal.signal(which, signal.SIG_DFL)
        faulthandler.register(which, file=2, all_threads=False, chain=True)  # and say where
