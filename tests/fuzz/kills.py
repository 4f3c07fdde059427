"""Kill commands at random moments: `python -m tests.fuzz.kills --kills 200 --seed 0`.

Each command that writes is killed (signal 9), half of the times at a random moment and half at a
random one of its calls that open, rename or remove a file, once or twice in a row; then it is run
to its end. No file may ever be half: each is one that an undisturbed run puts in place, by a
rename, at its end or on its way. The end must have the bytes of an undisturbed run and no remains.
All processes are forked from one, so that torch is imported once.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from signal import SIGALRM, SIGKILL
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.fuzz.killed import NEVER, Kill, digest, passed, preload, run, said

#: What may be wrong after a kill.
KINDS = ("half files", "stale temporaries", "different ends", "failed ends")
_REMAINS = ".neurt-energy-"
_BEGUN = ".begun"  #: ends the name of a step of a stream that is being taken
_MODEL = "--layers 1 --width 16 --heads 2 --vocabulary 262 --positions 32 --tokens 16 --batch 1"
_LEARN = "--warmup-steps 1 --steps 4 --save-every 1"
_SMALL = "--calibration-tokens 32 --hw 45nm"
_TINY = f"{_SMALL} --window 16 --max-tokens 32 --pictures none"
#: Commands in a folder that holds `model`, `run`, `other`, `texts` and `claims.csv`, and the flag
#: with which each is run again where its directory holds something.
COMMANDS = {
    "profile": (f"profile --model model {_SMALL} --seq-len 16 --pictures svg --out out", "--force"),
    "profile --stream": (
        f"profile --model model {_SMALL} --prompt 8 --generate 3 --pictures none --stream --out "
        "out",
        "--force",
    ),
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
    "convert --stream": (
        "convert --model model --calibration-tokens 32 --window 16 --stream --out out",
        "",
    ),
    "evaluate": (f"evaluate --model model {_TINY} --out out", ""),
    "evaluate --stream": (f"evaluate --model model {_TINY} --stream --out out", ""),
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


class Fault(NamedTuple):
    """What is wrong after a kill."""

    kind: str  #: one of `KINDS`
    sentence: str


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run leaves, and what it took."""

    files: dict[str, bytes]
    states: dict[str, set[str]]  #: SHA-256 of what each is until the end
    seconds: float
    calls: int


class Campaign:
    """Kills of all commands, each beside its undisturbed run."""

    def __init__(self, root: Path) -> None:
        self.root, self.given = root, root / "given"
        self.wholes: dict[str, Whole] = {}
        self.kills = Counter[str]()
        preload()
        self._prepare()

    def whole(self, name: str) -> Whole:
        """The undisturbed run of a command."""
        if name not in self.wholes:
            folder, began = self._folder("whole"), time.perf_counter()
            if code := run(COMMANDS[name][0].split(), folder):
                sys.exit(f"{name}, undisturbed, ends with {code}: {said(folder)}")
            seconds, files = time.perf_counter() - began, _content(folder / "out")
            calls, put = passed(folder)
            states = {path: set(digests) for path, digests in put.items()}
            self.wholes[name] = Whole(files, states, seconds, calls)
        return self.wholes[name]

    def case(self, name: str, random: Random) -> Iterator[Fault]:
        """Kill a command once or twice and run it to its end; what is wrong then."""
        whole, folder = self.whole(name), self._folder("killed")
        for path, content in whole.files.items():
            if digest(content) not in whole.states.get(path, ()):
                yield Fault("half files", f"{path} is written in its place, not renamed to it")
        for _ in range(random.choice((1, 1, 2))):
            kill = Kill(seconds=random.uniform(0, whole.seconds))
            if random.random() < 0.5:
                kill = Kill(call=random.randint(1, whole.calls))
            self._again(name, folder, kill)
            for path, content in _content(folder / "out").items():
                if digest(content) not in whole.states.get(path, ()):
                    yield Fault("half files", f"{kill}: {path} is in no state of a whole run")
        code = self._again(name, folder)
        found = _content(folder / "out")
        if code and found != whole.files:  # convert leaves a finished one alone
            lines = said(folder).splitlines()
            yield Fault("failed ends", f"{kill}: the next run ends with {code}: {lines[-1:]}")
        for path in (folder / "out").rglob(f"{_REMAINS}*"):
            yield Fault("stale temporaries", f"{kill}: {path.name} stays")
        for path in sorted({*found} | {*whole.files}):
            if found.get(path) != whole.files.get(path):
                yield Fault("different ends", f"{kill}: {path} is not that of a whole run")

    def _prepare(self) -> None:
        """Make what the commands read."""
        (self.given / "texts").mkdir(parents=True)
        for number in range(11):
            lines = [f"Letter {number} to the {word} of the house." for word in "abcdefghijklmnop"]
            (self.given / "texts" / f"{number}.txt").write_text("\n\n".join(lines))
        claim = "model,hw,ann_ops,ann_energy_mj\none,45nm,1000000000,4.6\n"
        (self.given / "claims.csv").write_text(claim)
        for words in (
            f"pretrain --text texts {_MODEL} {_LEARN} --out model",
            "plan --model model --hw 45nm --seq-len 16 --pictures none --out run",
            "plan --model model --hw 45nm --seq-len 32 --pictures none --out other",
        ):
            if run(words.split(), self.given):
                sys.exit(said(self.given))

    def _folder(self, name: str) -> Path:
        """A new folder with what commands read."""
        folder = self.root / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in self.given.iterdir():
            (folder / path.name).symlink_to(path)
        (folder / "out").mkdir()
        return folder

    def _again(self, name: str, folder: Path, kill: Kill = NEVER) -> int:
        """Run a command as somebody would who finds what is there."""
        words, more = COMMANDS[name]
        held = more and any(path.is_file() for path in (folder / "out").rglob("*"))
        code = run([*words.split(), *([more] if held else [])], folder, kill)
        if code == 1 and more == "--resume":  # nothing to resume: what is there was not begun yet
            code = run(words.split(), folder, kill)
        self.kills[name] += code == -SIGKILL
        if code == -SIGALRM:
            sys.exit(f"{name} hangs: {said(folder)}")
        return code


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(_REMAINS) or part.endswith(_BEGUN) for part in path.parts)
    }


def _summary(names: list[str], kills: Counter[str], faults: list[tuple[str, Fault]]) -> Table:
    """A line per command: how often it was killed, and what was wrong then."""
    counts = Counter((name, fault.kind) for name, fault in faults)
    table = Table("command", "kills", *KINDS)
    for name in names:
        found = (counts[name, kind] for kind in KINDS)
        table.add_row(name, *(str(number) for number in (kills[name], *found)))
    found = (sum(counts[name, kind] for name in names) for kind in KINDS)
    table.add_section()
    table.add_row("all", *(str(number) for number in (kills.total(), *found)))
    return table


def main() -> int:
    """Kill as often as is asked for; returns 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.kills")
    parser.add_argument("--kills", type=int, default=200, help="processes killed, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=COMMANDS, action="append", help="nothing but this")
    asked = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive"}
    names, faults, began = asked.only or list(COMMANDS), [], time.perf_counter()
    console = Console(width=100 if os.environ.get("COLUMNS") is None else None)
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as root,
        Progress(console=console, transient=True) as progress,
    ):
        bar = progress.add_task("preparing", total=asked.kills)
        campaign = Campaign(Path(root))
        for index in itertools.count():
            if campaign.kills.total() >= asked.kills:
                break
            name = names[(asked.seed + index) % len(names)]
            progress.update(bar, completed=campaign.kills.total(), description=name)
            for fault in campaign.case(name, Random(f"{asked.seed} {index}")):
                faults.append((name, fault))
                console.print(f"{name} (case {index}): {fault.sentence}", markup=False)
    console.print(_summary(names, campaign.kills, faults))
    seconds = time.perf_counter() - began
    console.print(
        f"{campaign.kills.total()} kills in {index} cases and {seconds:.0f} s: {len(faults)} faults"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
