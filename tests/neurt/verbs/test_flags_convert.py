from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.spiking.config import SpikingConfig
from neurt.verbs.flags_conversion import FIELDS, conversion_of
from neurt.verbs.flags_convert import add_convert_command

Refusal = Callable[[argparse.ArgumentParser, list[str]], str]

#: Beside those of the conversion.
FLAGS = {
    "--model": None,
    "--weights": "auto",
    "--seed": 0,
    "--calibration": None,
    "--calibration-tokens": 512,
    "--detokenise": False,
    "--window": None,
    "--out": None,
}
NEEDED = ["convert", "--model", "m", "--out", "o"]


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_convert_command(top.add_subparsers(), handler)
    return top


def test_the_flags_and_their_defaults_are_frozen(parser: argparse.ArgumentParser) -> None:
    [verbs] = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    found = {
        action.option_strings[-1]: action.default
        for action in verbs.choices["convert"]._actions
        if not isinstance(action, argparse._HelpAction) and action.dest not in FIELDS
    }
    assert found == FLAGS


def test_it_is_the_default_conversion_unless_told_otherwise(
    parser: argparse.ArgumentParser,
) -> None:
    given = parser.parse_args(NEEDED)
    assert given.run is handler
    assert conversion_of(given) == SpikingConfig()
    words = "--form softmax --code pow2 --dead-zone loss --timesteps 8 --window 64 --detokenise"
    given = parser.parse_args([*NEEDED, *words.split(), "--calibration", "c.txt"])
    assert conversion_of(given) == SpikingConfig(
        form="softmax", code="pow2", dead_zone="loss", timesteps=8
    )
    assert (given.window, given.detokenise, given.calibration) == (64, True, Path("c.txt"))


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--window", "1", "must be at least 2, not 1"),
        ("--calibration-tokens", "1", "must be at least 2, not 1"),
        ("--dead-zone", "none", "invalid choice: 'none'"),
        ("--weights", "mine", "invalid choice: 'mine'"),
        ("--seed", "x", "invalid int value: 'x'"),
    ],
)
def test_bad_values_are_named(
    parser: argparse.ArgumentParser, refusal: Refusal, flag: str, value: str, said: str
) -> None:
    error = refusal(parser, [*NEEDED, flag, value])
    assert f"argument {flag}: " in error
    assert said in error


@pytest.mark.parametrize("flag", ["--model", "--out"])
def test_what_has_no_default_must_be_given(
    parser: argparse.ArgumentParser, refusal: Refusal, flag: str
) -> None:
    words = list(NEEDED)
    place = words.index(flag)
    del words[place : place + 2]
    assert f"the following arguments are required: {flag}" in refusal(parser, words)
