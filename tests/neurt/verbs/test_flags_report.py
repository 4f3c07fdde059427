from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from neurt.verbs.flags_report import add_report_command


def parsed(*words: str) -> dict[str, Any]:
    top = argparse.ArgumentParser()
    add_report_command(top.add_subparsers(), print)
    return vars(top.parse_args(["report", *words]))


def test_the_flags_and_their_defaults_are_frozen() -> None:
    assert parsed("runs/a") == {
        "runs": [Path("runs/a")],
        "compare": False,
        "parquet": False,
        "out": None,
        "force": False,
        "run": print,
    }


def test_every_flag_arrives() -> None:
    found = parsed("a", "b", "--compare", "--parquet", "--out", "x", "--force")
    assert found["runs"] == [Path("a"), Path("b")]
    assert (found["compare"], found["parquet"], found["force"]) == (True, True, True)
    assert found["out"] == Path("x")


def test_a_report_is_of_something(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--compare")
    assert "RUN" in capsys.readouterr().err
