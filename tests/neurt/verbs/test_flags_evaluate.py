from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from energy.formulas import Attention
from neurt.requests.evaluate import EvaluateRequest
from neurt.verbs.flags_evaluate import add_evaluate_command


def parsed(*words: str) -> argparse.Namespace:
    top = argparse.ArgumentParser(prog="neurt-energy")
    add_evaluate_command(top.add_subparsers(), print)
    return top.parse_args(["evaluate", *words])


def request(*words: str) -> EvaluateRequest:
    given = vars(parsed("--model", "m", "--out", "o", *words))
    assert given.pop("run") is print
    return EvaluateRequest(**given)


def test_what_is_not_said_is_the_default_of_the_request() -> None:
    assert request() == EvaluateRequest(model="m", out=Path("o"))


def test_every_flag_arrives() -> None:
    words = (
        "--weights random --seed 3 --baseline b --hw loihi --hw 45nm --text t.txt "
        "--calibration c.txt --calibration-tokens 77 --detokenise "
        "--max-tokens 99 --window 32 --stride 8 --batch 2 --attention causal"
    )
    assert request(*words.split()) == EvaluateRequest(
        model="m",
        weights="random",
        seed=3,
        baseline=Path("b"),
        hw=("loihi", "45nm"),
        text=Path("t.txt"),
        calibration=Path("c.txt"),
        calibration_tokens=77,
        detokenise=True,
        max_tokens=99,
        window=32,
        stride=8,
        batch=2,
        attention=Attention.CAUSAL,
        out=Path("o"),
    )


def test_parsing_twice_does_not_add_up_the_hardware() -> None:
    assert request("--hw", "loihi").hw == request("--hw", "loihi").hw == ("loihi",)


def test_the_flags_of_the_conversion_can_be_added() -> None:
    verbs = argparse.ArgumentParser().add_subparsers()
    command = add_evaluate_command(verbs, print)
    command.add_argument("--timesteps", type=int)
    assert command.parse_args(["--model", "m", "--timesteps", "2"]).timesteps == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--window 1", "argument --window: must be at least 2, not 1"),
        ("--stride 0", "argument --stride: must be at least 1, not 0"),
        ("--batch x", "argument --batch: must be an integer, not 'x'"),
        ("--max-tokens 1", "argument --max-tokens: must be at least 2, not 1"),
        ("--calibration-tokens 1", "argument --calibration-tokens: must be at least 2, not 1"),
        ("--attention half", "argument --attention: invalid choice: 'half'"),
    ],
)
def test_a_word_that_is_no_value_ends_the_process(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed("--model", "m", *words.split())
    assert said in capsys.readouterr().err
