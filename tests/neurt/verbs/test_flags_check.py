from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from neurt.verbs.flags_check import add_check_command


def handler(_request: argparse.Namespace) -> None:
    raise AssertionError("only parsed here")


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_check_command(top.add_subparsers(), handler)
    return top


def test_a_file_is_enough(parser: argparse.ArgumentParser) -> None:
    asked = parser.parse_args(["check", "claims.csv"])
    assert vars(asked) == {
        "claims": Path("claims.csv"),
        "hw": "45nm",
        "tolerance": 0.02,
        "out": None,
        "run": handler,
    }


@pytest.mark.parametrize("word", ["much", "-0.1", "0.3", "nan"])
def test_a_tolerance_is_a_small_share(
    parser: argparse.ArgumentParser, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["check", "claims.csv", f"--tolerance={word}"])
    assert f"'{word}' is not a number from 0 to 0.25" in capsys.readouterr().err


def test_the_help_names_the_columns(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["check", "--help"])
    assert "snn_energy_mj" in " ".join(capsys.readouterr().out.split())
