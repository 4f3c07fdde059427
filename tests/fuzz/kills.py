"""Kill commands at random moments: `python -m tests.fuzz.kills --kills 200 --seed 0`.

Each command that writes is killed (signal 9), half of the times at a random moment and half at a
random one of its calls that open, rename or remove a file, once or twice in a row; then it is run
to its end. No file may ever be half, and the end must have the bytes of an undisturbed run and no
remains. All processes are forked from one, so that torch is imported once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from random import Random
from types import SimpleNamespace
from typing import NamedTuple

_REMAINS = ".neurt-energy-"
#: Calls that change what is on the disk, as Python's audit hooks name them.
_CALLS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate")
_MODEL = "--layers 1 --width 16 --heads 2 --vocabulary 262 --positions 32 --tokens 16 --batch 1"
_LEARN = "--warmup-steps 1 --steps 4 --save-every 1"
_SMALL = "--calibration-tokens 32 --hw 45nm"
_TINY = f"{_SMALL} --window 16 --max-tokens 32 --pictures none"
#: Commands in a folder that holds `model`, `run`, `other`, `texts` and `claims.csv`, and the flag
#: with which each is run again where its directory holds something.
COMMANDS = {
    "profile": (f"profile --model model {_SMALL} --seq-len 16 --pictures svg --out out", "--force"),
    "plan": ("plan --model model --hw 45nm --seq-len 16 --pictures svg --out out", "--force"),
    "count": ("count --model model --hw 45nm --seq-len 16 --pictures png --out out", "--force"),
    "price": ("price run/counts.csv --hw 45nm --out out", "--force"),
    "breakeven": (
        "breakeven --model model --hw 45nm --seq-len 16 --pictures none --out out",
        "--force",
    ),
    "sensitivity": ("sensitivity run --hw 45nm --samples 100 --pictures none --out out", "--force"),
    "check": ("check claims.csv --out out/findings.csv", "--force"),
    "hw new": ("hw new mine --out out/mine.toml", "--force"),
    "report": ("report run --pictures svg --out out", "--force"),
    "compare": ("report run other --compare --pictures svg --out out", "--force"),
    "convert": ("convert --model model --calibration-tokens 32 --window 16 --out out", ""),
    "evaluate": (f"evaluate --model model {_TINY} --out out", ""),
    "sweep": (
        f"sweep --model model {_TINY} --forms softmax --codes pow2 --timesteps 1 2 --thresholds 1 "
        "--jobs 1 --out out",
        "",
    ),
    "reproduce": (
        "reproduce --models model --tokens 16 --timesteps 1 --jobs 1 --pictures none --out out",
        "",
    ),
    "pretrain": (f"pretrain --text texts {_MODEL} {_LEARN} --out out", "--resume"),
    "finetune": (
        "finetune --model model --text texts --calibration-tokens 32 --layer-steps 2 --steps 2 "
        "--tokens 16 --batch 1 --held-out-tokens 32 --save-every 1 --out out",
        "--resume",
    ),
}


class Kill(NamedTuple):
    """When a process is killed."""

    seconds: float | None = None  #: after its start
    call: int | None = None  #: at this of its calls that change what is on the disk


NEVER = Kill()


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run leaves, and what it took."""

    files: dict[str, bytes]
    seconds: float
    calls: int


def run(words: list[str], folder: Path, kill: Kill = NEVER) -> int:
    """Run a command in a folder, in a process of its own; returns its exit status, -9 if killed."""
    child = os.fork()
    if not child:
        _become(words, folder, kill)
    if kill.seconds is not None:
        time.sleep(kill.seconds)
        os.kill(child, signal.SIGKILL)  # it is still to be waited for, so the number is its own
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(words: list[str], folder: Path, kill: Kill) -> None:
    """Be the process of a command; does not return."""
    code = 70
    try:
        os.chdir(folder)
        said = os.open(folder.parent / f"{folder.name}.said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = sys.stdout
        calls = itertools.count(1)

        def count(event: str, arguments: tuple[object, ...]) -> None:
            if event not in _CALLS or (event == "open" and arguments[1] in ("r", "rb", None)):
                return
            if next(calls) == kill.call:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        from neurt.cli import main

        code = main(words)
        sys.stdout.flush()
        (folder.parent / f"{folder.name}.calls").write_text(f"{next(calls)}")
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def prepare(root: Path) -> Path:
    """The folder with what the commands read."""
    import neurt.measure.planning

    # What no other run repeats: dates, and seconds. A step takes one here.
    neurt.measure.planning.now = lambda: "2026-01-01T00:00:00+00:00"
    for room in ("hwmodels", "energy", "reports", "neurt"):  # once, for all processes
        for module in walk_packages(import_module(room).__path__, f"{room}."):
            import_module(module.name)
    import neurt.learning.training

    steps = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(steps)))
    neurt.learning.training.time = clock  # type: ignore[assignment]
    given = root / "given"
    (given / "texts").mkdir(parents=True)
    for number in range(11):
        lines = [f"Letter {number} to the {word} of the house." for word in "abcdefghijklmnop"]
        (given / "texts" / f"{number}.txt").write_text("\n\n".join(lines))
    (given / "claims.csv").write_text("model,hw,ann_ops,ann_energy_mj\none,45nm,1000000000,4.6\n")
    for words in (
        f"pretrain --text texts {_MODEL} {_LEARN} --out model",
        "plan --model model --hw 45nm --seq-len 16 --pictures none --out run",
        "plan --model model --hw 45nm --seq-len 32 --pictures none --out other",
    ):
        if run(words.split(), given):
            sys.exit((root / "given.said").read_text())
    return given


class Campaign:
    """Kills of all commands, each beside its undisturbed run."""

    def __init__(self, root: Path) -> None:
        self.root, self.given = root, prepare(root)
        self.wholes: dict[str, Whole] = {}

    def folder(self, name: str) -> Path:
        """A new folder with what commands read."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in self.given.iterdir():
            (folder / path.name).symlink_to(path)
        (folder / "out").mkdir()
        return folder

    def whole(self, name: str) -> Whole:
        """The undisturbed run of a command."""
        if name not in self.wholes:
            folder, began = self.folder("whole"), time.perf_counter()
            if run(COMMANDS[name][0].split(), folder):
                sys.exit(f"{name}: {(self.root / 'whole.said').read_text()}")
            seconds = time.perf_counter() - began
            calls = int((self.root / "whole.calls").read_text())
            self.wholes[name] = Whole(_content(folder / "out"), seconds, calls)
        return self.wholes[name]

    def case(self, name: str, random: Random) -> Iterator[str]:
        """Kill a command once or twice and run it to its end; what is wrong then, in words."""
        whole, folder = self.whole(name), self.folder("killed")
        for _ in range(random.choice((1, 1, 2))):
            kill = Kill(seconds=random.uniform(0, whole.seconds))
            if random.random() < 0.5:
                kill = Kill(call=random.randint(1, whole.calls))
            self._again(name, folder, kill)
            yield from (
                f"{kill}: {path} is half"
                for path, content in _content(folder / "out").items()
                if content != whole.files.get(path) and not _is_whole(path, content)
            )
        code = self._again(name, folder)
        if code and _content(folder / "out") != whole.files:  # convert leaves a finished one alone
            yield f"{kill}: the next run ends with {code}: {self._said()}"
        found = _content(folder / "out")
        remains = [path for path in (folder / "out").rglob("*") if path.name.startswith(_REMAINS)]
        yield from (f"{kill}: {path.name} stays" for path in remains)
        for path in sorted({*found} | {*whole.files}):
            if found.get(path) != whole.files.get(path):
                yield f"{kill}: {path} is another in the end than that of an undisturbed run"

    def _again(self, name: str, folder: Path, kill: Kill = NEVER) -> int:
        """Run a command as somebody would who finds what is there."""
        words, more = COMMANDS[name]
        held = more and any(path.is_file() for path in (folder / "out").rglob("*"))
        code = run([*words.split(), *([more] if held else [])], folder, kill)
        if code == 1 and more == "--resume":  # nothing to resume: what is there was not begun yet
            code = run(words.split(), folder, kill)
        return code

    def _said(self) -> str:
        lines = (self.root / "killed.said").read_text().splitlines()
        return lines[-1] if lines else ""


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(_REMAINS) for part in path.parts)
    }


def _is_whole(path: str, content: bytes) -> bool:
    """Whether a file that the end does not have is whole: a state of a training, a record."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        if path.endswith(".safetensors"):
            load(content)
        elif path.endswith(".json"):
            json.loads(content)
        elif path.endswith("metrics.csv"):  # of fewer steps
            rows = content.decode().splitlines()
            return content.endswith(b"\n") and len({row.count(",") for row in rows}) == 1
        else:
            return False
    except (SafetensorError, ValueError):
        return False
    return True


def main() -> int:
    """Kill as often as is asked for; returns 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.kills")
    parser.add_argument("--kills", type=int, default=200, help="cases, of one or two kills each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=COMMANDS, action="append", help="nothing but this")
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive"}
    names, faults, cases = asked.only or list(COMMANDS), list[str](), Counter[str]()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kills-") as root:
        campaign = Campaign(Path(root))
        for index in range(asked.kills):
            name = names[(asked.seed + index) % len(names)]
            cases[name] += 1
            for fault in campaign.case(name, Random(f"{asked.seed} {index}")):
                faults.append(f"{name} (case {index}): {fault}")
                print(faults[-1], flush=True)
    done = ", ".join(f"{name} {cases[name]}" for name in names if cases[name])
    print(f"{asked.kills} cases in {time.perf_counter() - began:.0f} s: {done}")
    print(f"{len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
