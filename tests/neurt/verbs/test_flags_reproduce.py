from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from neurt.requests.reproduce import ReproduceRequest
from neurt.verbs.flags_reproduce import add_reproduce_command

FLAGS = {
    "--models": ["gpt2-small", "gpt2-medium", "gpt2-large", "gpt2-nano"],
    "--timesteps": [2, 4, 8],
    "--hw": ["45nm", "45nm-fp16", "45nm-int8"],
    "--form": ["spikformer"],
    "--code": ["signed_if"],
    "--key-value": ["stored"],
    "--attention": ["full"],
    "--tokens": 128,
    "--weights": "auto",
    "--seed": 0,
    "--text": None,
    "--jobs": None,
    "--memory": None,
    "--out": None,
}


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_reproduce_command(top.add_subparsers(), handler)
    return top


def test_the_flags_and_their_defaults_are_frozen(parser: argparse.ArgumentParser) -> None:
    [verbs] = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    found = {
        action.option_strings[-1]: action.default
        for action in verbs.choices["reproduce"]._actions
        if not isinstance(action, argparse._HelpAction)
    }
    assert found == FLAGS


def test_the_flags_are_the_fields_of_a_request(parser: argparse.ArgumentParser) -> None:
    given = vars(parser.parse_args(["reproduce", "--out", "m"]))
    assert given.pop("run") is handler
    assert ReproduceRequest(**given) == ReproduceRequest(out=Path("m"))
    assert given.keys() == ReproduceRequest.model_fields.keys()


def test_choices_take_several_words(parser: argparse.ArgumentParser) -> None:
    words = "reproduce --models a b --timesteps 1 64 --form softmax spikformer --attention causal"
    given = parser.parse_args([*words.split(), "--memory", "7.5", "--key-value", "streamed"])
    assert (given.models, given.timesteps) == (["a", "b"], [1, 64])
    assert (given.forms, given.attention) == (["softmax", "spikformer"], ["causal"])
    assert (given.memory_gib, given.key_values) == (7.5, ["streamed"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--timesteps 0", "argument --timesteps: must be at least 1, not 0"),
        ("--timesteps 65", "argument --timesteps: must be at most 64, not 65"),
        ("--timesteps two", "argument --timesteps: must be an integer, not 'two'"),
        ("--tokens 0", "argument --tokens: must be at least 1, not 0"),
        ("--jobs 0", "argument --jobs: must be at least 1, not 0"),
        ("--memory 0", "argument --memory: must be above 0, not 0"),
        ("--memory lots", "argument --memory: must be a number, not 'lots'"),
        ("--models", "argument --models: expected at least one argument"),
        ("--form linear", "argument --form: invalid choice: 'linear'"),
    ],
)
def test_bad_words_are_said_in_one_line(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["reproduce", *words.split()])
    assert said in capsys.readouterr().err.splitlines()[-1]
