from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.requests.sweep import SweepRequest
from neurt.verbs.flags_sweep import add_sweep_command

Refusal = Callable[[argparse.ArgumentParser, list[str]], str]

CODES = ["signed_if", "burst", "multi_threshold", "sar", "pow2"]
FLAGS = {
    "--model": None,
    "--weights": "auto",
    "--seed": 0,
    "--hw": [],
    "--text": None,
    "--detokenise": False,
    "--calibration": None,
    "--calibration-tokens": 512,
    "--max-tokens": 8192,
    "--window": None,
    "--stride": None,
    "--batch": 1,
    "--dataflow": None,
    "--attention": "full",
    "--out": None,
    "--forms": ["spikformer", "softmax"],
    "--codes": CODES,
    "--timesteps": [1, 2, 4, 8, 16],
    "--thresholds": [0.5, 1.0, 2.0],
    "--attention-thresholds": [],
    "--calibrate": ["mse"],
    "--dead-zones": ["output"],
    "--jobs": 1,
    "--ray": None,
}


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_sweep_command(top.add_subparsers(), handler)
    return top


def sweep_of(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    [verbs] = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    found: argparse.ArgumentParser = verbs.choices["sweep"]
    return found


def test_the_flags_and_their_defaults_are_frozen(parser: argparse.ArgumentParser) -> None:
    found = {
        action.option_strings[-1]: action.default
        for action in sweep_of(parser)._actions
        if not isinstance(action, argparse._HelpAction)
    }
    assert found == FLAGS


def test_the_flags_are_the_fields_of_a_request(parser: argparse.ArgumentParser) -> None:
    given = vars(parser.parse_args(["sweep", "--model", "gpt2-nano", "--out", "m"]))
    assert given.pop("run") is handler
    assert SweepRequest(**given) == SweepRequest(model="gpt2-nano", out=Path("m"))
    # A sweep converts by itself, so nothing is converted already and nothing beside it.
    assert given.keys() == SweepRequest.model_fields.keys() - {"spiking", "baseline"}


def test_help_says_where_the_points_are_kept(parser: argparse.ArgumentParser) -> None:
    said = " ".join(sweep_of(parser).format_help().split())
    assert "(default: runs/sweep-MODEL)" in said
    assert "runs/TIME-MODEL" not in said
    assert f"of both blocks (default: {' '.join(CODES)})" in said


def test_choices_take_several_words(parser: argparse.ArgumentParser) -> None:
    words = "sweep --model m --codes pow2 exact --timesteps 1 64 --thresholds .5 --jobs 2"
    given = parser.parse_args([*words.split(), "--calibrate", "quantile", "mse"])
    assert (given.codes, given.timesteps) == (["pow2", "exact"], [1, 64])
    assert (given.thresholds, given.calibrate, given.jobs) == ([0.5], ["quantile", "mse"], 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--forms", "asa"], "invalid choice: 'asa'"),
        (["--codes", "pow2", "rate"], "invalid choice: 'rate'"),
        (["--codes"], "expected at least one argument"),
        (["--timesteps", "4", "0"], "must be at least 1, not 0"),
        (["--timesteps", "65"], "must be at most 64, not 65"),
        (["--thresholds", "0"], "must be above 0, not 0"),
        (["--thresholds", "high"], "must be a number, not 'high'"),
        (["--attention-thresholds", "inf"], "must be above 0, not inf"),
        (["--calibrate", "0.9"], "invalid choice: '0.9'"),
        (["--dead-zones", "loss", "none"], "invalid choice: 'none'"),
        (["--calibration-tokens", "1"], "must be at least 2, not 1"),
        (["--jobs", "0"], "must be at least 1, not 0"),
        (["--window", "1"], "must be at least 2, not 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_values_are_named(
    parser: argparse.ArgumentParser, refusal: Refusal, words: list[str], said: str
) -> None:
    error = refusal(parser, ["sweep", "--model", "m", *words])
    assert f"argument {words[0]}: " in error
    assert said in error
