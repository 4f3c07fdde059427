from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from neurt.requests.training import PretrainRequest
from neurt.verbs.flags_training import add_training_commands, at_least, number


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_training_commands(top.add_subparsers(), handler)
    return top


def test_the_flags_are_the_fields_of_a_request(parser: argparse.ArgumentParser) -> None:
    words = ["pretrain", "--text", "sotu", "--out", "m"]
    given = vars(parser.parse_args(words))
    assert given.pop("run") is handler
    assert PretrainRequest(**given) == PretrainRequest(text="sotu", out=Path("m"))
    assert given.keys() == PretrainRequest.model_fields.keys() - {"schedule"}


def test_the_command_of_a_request_asks_for_it(parser: argparse.ArgumentParser) -> None:
    request = PretrainRequest(
        text="sotu", out=Path("m"), width=64, learning_rate=1e-3, weight_decay=0, clip=2
    )
    given = vars(parser.parse_args(request.command.split()[1:]))
    del given["run"]
    assert PretrainRequest(**given) == request


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--layers", "0", "must be at least 1, not 0"),
        ("--layers", "two", "must be an integer, not 'two'"),
        ("--tokens", "1", "must be at least 2, not 1"),
        ("--learning-rate", "0", "must be finite and above 0, not 0"),
        ("--learning-rate", "nan", "must be finite and above 0, not nan"),
        ("--learning-rate", "fast", "must be a number, not 'fast'"),
        ("--weight-decay", "-1", "must be finite and at least 0, not -1"),
        ("--clip", "inf", "must be finite and above 0, not inf"),
        ("--save-dtype", "int8", "invalid choice: 'int8'"),
    ],
)
def test_bad_values_are_named(
    parser: argparse.ArgumentParser,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    value: str,
    said: str,
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["pretrain", "--text", "sotu", "--out", "m", flag, value])
    error = capsys.readouterr().err
    assert f"argument {flag}" in error
    assert said in error


def test_readers_accept_their_bounds() -> None:
    assert at_least(0)("0") == 0
    assert number(least=0)("0") == 0.0
    assert number(above=0)("1e-9") == 1e-9
