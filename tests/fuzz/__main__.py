"""The command: `python -m tests.fuzz --inputs 20000 --seed 0 --jobs 2`.

`--only SEED:INDEX` runs one input again and shows all of it; `--keep DIR` saves what fails. Ends
with 1 if anything fails.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .campaign import Campaign, Result, keep, prepare
from .case import Case
from .isolated import Limits
from .judge import kind_of


def main() -> int:
    """Run the inputs that are asked for, and print what fails and a table of all."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as home:  # no cache of the hub, and no network
        quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "COLUMNS": "80"}
        os.environ.update({"HF_HOME": home, "HF_HUB_OFFLINE": "1", **quiet})
        limits = Limits(asked.seconds, asked.mebibytes * 2**20)
        seed, _, index = (asked.only or str(asked.seed)).partition(":")
        campaign = Campaign(int(seed), prepare(), limits, tuple(asked.kind or ()))
        return _again(campaign, int(index), asked.keep) if index else _all(campaign, asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--kind", action="append", help="nothing but this kind; may be repeated")
    parser.add_argument("--seconds", type=float, default=30, help="CPU seconds of an input")
    parser.add_argument("--mebibytes", type=int, default=2048, help="memory of an input")
    parser.add_argument("--only", metavar="SEED:INDEX", help="one input, shown")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="save the inputs that fail")
    return parser.parse_args()


def _all(campaign: Campaign, asked: argparse.Namespace) -> int:
    console, results = Console(soft_wrap=True, highlight=False), list[Result]()
    bars = (TextColumn("inputs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = time.perf_counter()
    with Progress(*bars, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=asked.inputs)
        indices = range(asked.first, asked.first + asked.inputs)
        for result in campaign.results(indices, asked.jobs):
            results.append(result)
            progress.advance(task)
            if result.case:
                _show(result, result.case, campaign.only, console)
                if asked.keep:
                    keep(result, asked.keep)
    _print_table(results, time.perf_counter() - began, console)
    return int(any(result.said for result in results))


def _show(result: Result, case: Case, only: tuple[str, ...], console: Console) -> None:
    again = f"--only {result.seed}:{result.index}" + "".join(f" --kind {kind}" for kind in only)
    lines = [
        f"FAILED {again} ({result.kind}): {result.said}",
        f"    {shlex.join(case.words)[:300]}",
    ]
    lines += [f"    changed: {said}" for said in case.changes.values()]
    console.print(_plain("\n".join(lines)), markup=False)


def _plain(text: str) -> str:
    return ascii(text)[1:-1].replace("\\n", "\n")


def _print_table(results: list[Result], seconds: float, console: Console) -> None:
    table = Table("kind", "inputs", "0", "1", "2", "failed", "CPU s")
    for kind in (*sorted({result.kind for result in results}), "all"):
        rows = [x for x in results if kind in (x.kind, "all")]
        codes = Counter("failed" if x.said else str(x.code) for x in rows)
        numbers = (len(rows), *(codes[x] for x in ("0", "1", "2", "failed")))
        table.add_row(kind, *map(str, numbers), f"{sum(x.cpu_s for x in rows):.1f}")
    console.print(table)
    faults = Counter(f"{x.kind}: {kind_of(x.said)}" for x in results if x.said)
    for said, times in faults.most_common():
        console.print(f"{times} x {said}", markup=False)
    console.print(
        f"{len(results)} inputs in {seconds:.0f} s, {len(results) / seconds:.1f} per second"
    )


def _again(campaign: Campaign, index: int, folder: Path | None) -> int:
    """Run one input, and print everything about it."""
    case, kind = campaign.make(index), campaign.kind(index)
    outcome, said = campaign.try_one(case)
    if folder:
        print(keep(Result(campaign.seed, index, kind, outcome.code, 0, said, case), folder))
    print(f"{kind}: {shlex.join(case.words)}", *case.changes.values(), sep="\n  ")
    print(f"exit {outcome.code}; written: {', '.join(outcome.written)}")
    print(_plain(outcome.out[-1500:]), _plain(outcome.err[-4000:]), said or "right", sep="\n")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
