from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.requests.passes import PassRequest, ProfileRequest
from neurt.verbs.flags_conversion import FIELDS, conversion_of
from neurt.verbs.flags_pass import (
    add_execution_flags,
    add_hw_flag,
    add_measuring_flags,
    add_pass_flags,
)

Refusal = Callable[[argparse.ArgumentParser, list[str]], str]

HW = {"--hw": None}
EXECUTION = {"--dataflow": None, "--latency": {}}
MEASURING = {
    "--weights": "auto",
    "--seed": 0,
    "--text": None,
    "--calibration": None,
    "--calibration-tokens": 512,
    "--detokenise": False,
    "--verify": False,
    "--zeros": False,
}
PASS = (
    HW
    | EXECUTION
    | {
        "--model": None,
        "--phase": None,
        "--seq-len": 128,
        "--context": 128,
        "--prompt": None,
        "--generate": None,
        "--batch": 1,
        "--windows": 1,
        "--attention": "full",
        "--coincidences": False,
        "--mixed": False,
        "--out": None,
        "--force": False,
    }
)


def flags(command: argparse.ArgumentParser) -> dict[str, object]:
    return {
        action.option_strings[-1]: action.default
        for action in command._actions
        if not isinstance(action, argparse._HelpAction) and action.dest not in FIELDS
    }


@pytest.mark.parametrize(
    ("add", "frozen"),
    [
        (add_pass_flags, PASS),
        (add_measuring_flags, MEASURING),
        (add_execution_flags, EXECUTION),
        (add_hw_flag, HW),
    ],
)
def test_the_flags_and_their_defaults_are_frozen(add: object, frozen: dict[str, object]) -> None:
    command = argparse.ArgumentParser()
    add(command)  # type: ignore[operator]
    assert flags(command) == frozen


@pytest.fixture
def command() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_pass_flags(parser)
    add_measuring_flags(parser)
    return parser


WORDS = ["--model", "m", "--hw", "45nm", "--out", "o"]


def test_the_flags_are_the_fields_of_a_request(command: argparse.ArgumentParser) -> None:
    parsed = command.parse_args(WORDS)
    skipped = {"force", *FIELDS}  # whether to overwrite is no fact of a run
    given = {key: value for key, value in vars(parsed).items() if key not in skipped}
    asked = ProfileRequest(**given, spiking=conversion_of(parsed))
    assert asked == ProfileRequest(model="m", hw=("45nm",), out=Path("o"))
    assert given.keys() == ProfileRequest.model_fields.keys() - {"spiking"}


def test_words_become_a_request(command: argparse.ArgumentParser) -> None:
    words = "--prompt 512 --generate 128 --dataflow event-driven"
    words += " --latency asa=0.5 --latency ssa=2e-3"
    given = command.parse_args([*WORDS, *words.split()])
    assert (given.prompt, given.generate, given.dataflow) == (512, 128, "event-driven")
    assert given.latency_s == {"asa": 0.5, "ssa": 0.002}
    asked = {key: getattr(given, key) for key in ("model", "hw", "out", "prompt", "generate")}
    assert PassRequest(**asked).phase_name == "request 512+128"


def test_one_command_line_leaves_nothing_for_the_next(command: argparse.ArgumentParser) -> None:
    command.parse_args([*WORDS, "--latency", "asa=1"])
    assert command.parse_args(WORDS).latency_s == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--phase both", "invalid choice: 'both'"),
        ("--prompt 0", "must be at least 1, not 0"),
        ("--generate x", "must be an integer, not 'x'"),
        ("--dataflow sideways", "invalid choice: 'sideways'"),
        ("--latency 0.5", "must be asa=SECONDS or ssa=SECONDS, not '0.5'"),
        ("--latency ann=0.5", "must be asa=SECONDS or ssa=SECONDS, not 'ann=0.5'"),
        ("--latency asa=soon", "the seconds of asa must be a number, not 'soon'"),
        ("--latency asa", "the seconds of asa must be a number, not ''"),
        ("--latency asa=0", "the seconds of asa must be above 0, not 0"),
        ("--latency asa=nan", "the seconds of asa must be above 0, not nan"),
        ("--latency asa=1 --latency asa=2", "asa is given more than once"),
    ],
)
def test_bad_values_are_named(
    command: argparse.ArgumentParser, refusal: Refusal, words: str, said: str
) -> None:
    error = refusal(command, [*WORDS, *words.split()])
    assert f"argument {words.split()[0]}: " in error
    assert said in error
