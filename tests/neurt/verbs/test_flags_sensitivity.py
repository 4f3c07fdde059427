from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from energy.compare.sensitivity import SAMPLES
from hwmodels import Dataflow
from neurt.verbs.flags_sensitivity import add_sensitivity_command

Refusal = Callable[[argparse.ArgumentParser, list[str]], str]


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_sensitivity_command(top.add_subparsers(), handler)
    return top


def test_the_flags_and_their_defaults_are_frozen(parser: argparse.ArgumentParser) -> None:
    assert vars(parser.parse_args(["sensitivity", "runs/x", "--hw", "45nm"])) == {
        "counts": Path("runs/x"),
        "hw": ["45nm"],
        "block": "attention",
        "samples": SAMPLES,
        "seed": 0,
        "dataflow": None,
        "latency_s": {},
        "out": None,
        "run": handler,
    }


def test_every_flag_is_read(parser: argparse.ArgumentParser) -> None:
    words = "sensitivity c.csv --hw 45nm --hw loihi --block model --samples 5 --seed 3 --out d"
    given = parser.parse_args([*words.split(), "--dataflow", "stepwise", "--latency", "asa=0.5"])
    assert (given.hw, given.block, given.samples, given.seed) == (["45nm", "loihi"], "model", 5, 3)
    assert (Dataflow(given.dataflow), given.out) == (Dataflow.STEPWISE, Path("d"))
    assert given.latency_s == {"asa": 0.5}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--block", "head"], "invalid choice: 'head'"),
        (["--samples", "0"], "must be at least 1, not 0"),
        (["--seed", "-1"], "must be at least 0, not -1"),
        (["--dataflow", "sideways"], "invalid choice: 'sideways'"),
        (["--latency", "ann=1"], "must be asa=SECONDS or ssa=SECONDS"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_values_are_named(
    parser: argparse.ArgumentParser, refusal: Refusal, words: list[str], said: str
) -> None:
    error = refusal(parser, ["sensitivity", "c.csv", "--hw", "45nm", *words])
    assert f"argument {words[0]}: " in error
    assert said in error
