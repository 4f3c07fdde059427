from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurt.verbs.flags_count import add_count_command


def command() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_count_command(top.add_subparsers(), print)
    return top


def parsed(*words: str) -> dict[str, Any]:
    return vars(command().parse_args(["count", "--model", "m", "--hw", "45nm", *words]))


def test_the_flags_and_their_defaults_are_frozen() -> None:
    assert parsed() == {
        "model": "m",
        "hw": ["45nm"],
        "phase": "prefill",
        "seq_len": 128,
        "context": 128,
        "batch": 1,
        "windows": 1,
        "attention": "full",
        "weights": "auto",
        "seed": 0,
        "text": None,
        "zeros": False,
        "verify": False,
        "out": None,
        "force": False,
        "run": print,
    }


def test_every_flag_arrives() -> None:
    words = "--hw loihi --phase decode --seq-len 2 --context 3 --batch 4 --windows 5 --seed 6"
    more = "--attention causal --weights random --text t --zeros --verify --out o --force"
    assert parsed(*words.split(), *more.split()) == {
        "model": "m",
        "hw": ["45nm", "loihi"],
        "phase": "decode",
        "seq_len": 2,
        "context": 3,
        "batch": 4,
        "windows": 5,
        "attention": "causal",
        "weights": "random",
        "seed": 6,
        "text": Path("t"),
        "zeros": True,
        "verify": True,
        "out": Path("o"),
        "force": True,
        "run": print,
    }


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--hw", "45nm"], "--model"),
        (["--model", "m"], "--hw"),
        (["--model", "m", "--hw", "45nm", "--windows", "0"], "--windows"),
        (["--model", "m", "--hw", "45nm", "--phase", "both"], "--phase"),
    ],
)
def test_what_is_missing_or_impossible_is_named(
    words: list[str],
    named: str,
    refusal: Callable[[argparse.ArgumentParser, list[str]], str],
) -> None:
    assert named in refusal(command(), ["count", *words])
