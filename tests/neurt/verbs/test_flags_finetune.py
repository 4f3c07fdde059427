from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.requests.finetune import FinetuneRequest
from neurt.spiking.config import SpikingConfig
from neurt.verbs.flags_conversion import FIELDS, add_conversion_flags, conversion_of
from neurt.verbs.flags_finetune import add_finetune_command

Refusal = Callable[[argparse.ArgumentParser, list[str]], str]

FLAGS = {
    "--model": None,
    "--weights": "auto",
    "--text": None,
    "--calibration": None,
    "--calibration-tokens": 512,
    "--detokenise": False,
    "--train": "ssa",
    "--layer-steps": 200,
    "--steps": 200,
    "--batch": 4,
    "--tokens": 256,
    "--learning-rate": 1e-3,
    "--warmup-steps": 20,
    "--clip": 1.0,
    "--seed": 0,
    "--held-out-tokens": 8192,
    "--save-every": 50,
    "--target-events-per-mac": None,
    "--no-baseline": True,
    "--save-dtype": "float32",
    "--out": None,
    "--resume": False,
}
NEEDED = ["finetune", "--model", "gpt2-nano", "--text", "sotu", "--out", "m"]


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def verbs() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    top = argparse.ArgumentParser()
    return top, add_finetune_command(top.add_subparsers(), handler)


Verbs = tuple[argparse.ArgumentParser, argparse.ArgumentParser]


def test_the_flags_and_their_defaults_are_frozen(verbs: Verbs) -> None:
    found = {
        action.option_strings[-1]: action.default
        for action in verbs[1]._actions
        if not isinstance(action, argparse._HelpAction)
    }
    assert found == FLAGS


def test_the_flags_are_the_fields_of_a_request(verbs: Verbs) -> None:
    top, finetune = verbs
    add_conversion_flags(finetune)
    given = vars(top.parse_args(NEEDED))
    spiking = conversion_of(argparse.Namespace(**given))
    assert given.pop("run") is handler
    for name in FIELDS:
        del given[name]
    asked = FinetuneRequest(**given, spiking=spiking)
    assert asked == FinetuneRequest(model="gpt2-nano", text="sotu", out=Path("m"))
    assert asked.spiking == SpikingConfig()
    assert given.keys() == FinetuneRequest.model_fields.keys() - {"spiking"}


@pytest.mark.parametrize("flag", ["--model", "--text", "--out"])
def test_what_has_no_default_must_be_given(
    verbs: Verbs, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    words = list(NEEDED)
    place = words.index(flag)
    del words[place : place + 2]
    with pytest.raises(SystemExit) as caught:
        verbs[0].parse_args(words)
    assert caught.value.code == 2
    assert f"the following arguments are required: {flag}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--weights", "mine", "invalid choice: 'mine'"),
        ("--calibration-tokens", "1", "must be at least 2, not 1"),
        ("--train", "ffn", "invalid choice: 'ffn'"),
        ("--layer-steps", "-1", "must be at least 0, not -1"),
        ("--steps", "1.5", "must be an integer, not '1.5'"),
        ("--batch", "0", "must be at least 1, not 0"),
        ("--tokens", "1", "must be at least 2, not 1"),
        ("--learning-rate", "0", "must be finite and above 0, not 0"),
        ("--learning-rate", "fast", "must be a number, not 'fast'"),
        ("--warmup-steps", "-1", "must be at least 0, not -1"),
        ("--clip", "inf", "must be finite and above 0, not inf"),
        ("--seed", "-1", "must be at least 0, not -1"),
        ("--held-out-tokens", "1", "must be at least 2, not 1"),
        ("--save-every", "0", "must be at least 1, not 0"),
        ("--target-events-per-mac", "nan", "must be finite and above 0, not nan"),
        ("--save-dtype", "int8", "invalid choice: 'int8'"),
    ],
)
def test_bad_values_are_named(
    verbs: Verbs, refusal: Refusal, flag: str, value: str, said: str
) -> None:
    error = refusal(verbs[0], [*NEEDED, flag, value])
    assert f"argument {flag}: " in error
    assert said in error


def test_no_steps_are_allowed_and_the_baseline_may_be_left_out(verbs: Verbs) -> None:
    words = ["--steps", "0", "--layer-steps", "0", "--warmup-steps", "0", "--no-baseline"]
    given = verbs[0].parse_args([*NEEDED, *words])
    assert (given.steps, given.layer_steps, given.warmup_steps, given.baseline) == (0, 0, 0, False)


def test_help_says_how_several_processes_are_started(verbs: Verbs) -> None:
    said = " ".join(verbs[1].format_help().split())
    assert "accelerate launch --multi_gpu --num_processes N -m neurt.cli finetune ..." in said
