"""Kills of the commands that keep most between two runs; what the harness sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import kills

#: Those that find something of theirs when they are run again, and two that do not.
COMMANDS = (
    *("convert", "convert --stream", "evaluate", "evaluate --stream", "sweep", "pretrain"),
    *("finetune", "report", "price"),
)


def test_killed_commands_leave_no_half_files_and_end_as_undisturbed() -> None:
    only = [word for name in COMMANDS for word in ("--only", name)]
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.kills", "--kills", "10", *only],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 faults" in run.stdout


def put(text: str) -> None:
    unfinished = Path("out/.neurt-energy-0")
    unfinished.mkdir(exist_ok=True)
    (unfinished / "made").write_text(text)
    (unfinished / "made").rename("out/file")
    unfinished.rmdir()


def whole(_: list[str]) -> int:
    put("first")
    put("second")
    return 0


def in_place(_: list[str]) -> int:
    Path("out/file").write_text("half")
    Path("out/file").write_text("half and half")
    return 0


def untidy(_: list[str]) -> int:
    made = Path(f"out/.neurt-energy-{os.getpid()}")  # no other run finds it
    made.mkdir()
    (made / "made").write_text("text")
    (made / "made").rename("out/file")
    made.rmdir()
    return 0


def forgetful(_: list[str]) -> int:
    put("resumed" if Path("out/file").exists() else "begun")
    Path("out/file").chmod(0o644)  # one more call to be killed at
    return 0


def stubborn(_: list[str]) -> int:
    if Path("out/.neurt-energy-0").exists():
        return 1
    put("text")
    return 0


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        (whole, set()),
        (in_place, {"half files"}),
        (untidy, {"stale temporaries"}),
        (forgetful, {"different ends"}),
        (stubborn, {"failed ends", "stale temporaries", "different ends"}),
    ],
)
def test_the_harness_sees_what_is_wrong(
    command: Callable[[list[str]], int],
    kinds: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("neurt.cli.main", command)
    monkeypatch.setattr(kills, "COMMANDS", {"mine": ("mine", "")})
    monkeypatch.setattr(kills, "preload", lambda: None)
    monkeypatch.setattr(kills.Campaign, "_prepare", lambda campaign: campaign.given.mkdir())
    campaign = kills.Campaign(tmp_path)
    faults = [fault for seed in range(20) for fault in campaign.case("mine", Random(seed))]
    assert campaign.kills["mine"] > 5
    assert kinds <= {fault.kind for fault in faults}  # random moments may add others
    assert bool(kinds) == bool(faults)
