from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from neurt.verbs.flags_breakeven import add_breakeven_command

Refusal = Callable[[argparse.ArgumentParser, list[str]], str]


def handler(_request: argparse.Namespace) -> None: ...


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser()
    add_breakeven_command(top.add_subparsers(), handler)
    return top


def test_defaults(parser: argparse.ArgumentParser) -> None:
    given = parser.parse_args(["breakeven", "--hw", "45nm"])
    assert given.run is handler
    assert (given.hw, given.model, given.shapes, given.counts) == (["45nm"], None, [], None)
    assert (given.phase, given.seq_len, given.context, given.batch) == ("prefill", 128, 128, 1)
    assert (given.attention, given.dataflow, given.out) == ("full", None, None)
    assert (given.timesteps, given.form, given.code) == (4, "spikformer", "signed_if")


def test_everything_may_be_given(parser: argparse.ArgumentParser) -> None:
    words = (
        "breakeven --hw 45nm --hw my.toml --shape 768x3072 3072X768 --shape 8x8 --run runs/a "
        "--timesteps 8 --form softmax --dataflow event-driven --phase decode --context 1024"
    )
    given = parser.parse_args(words.split())
    assert given.hw == ["45nm", "my.toml"]
    assert given.shapes == [(768, 3072), (3072, 768), (8, 8)]
    assert (given.counts, given.dataflow) == (Path("runs/a"), "event-driven")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: --hw"),
        (["--hw", "45nm", "--shape", "768"], "must be inputs x outputs, as in 768x3072, not '768'"),
        (["--hw", "45nm", "--shape", "7x8x9"], "as in 768x3072, not '7x8x9'"),
        (["--hw", "45nm", "--shape", "-7x8"], "--shape: expected at least one argument"),
        (["--hw", "45nm", "--shape", "7.5x8"], "not '7.5x8'"),
        (["--hw", "45nm", "--shape", "0x8"], "sizes must be 1 to 10,000,000, not 0x8"),
        (["--hw", "45nm", "--shape", "8x10000001"], "not 8x10000001"),
        (["--hw", "45nm", "--shape", "8x" + "9" * 5000], "must be inputs x outputs"),
        (["--hw", "45nm", "--timesteps", "0"], "must be at least 1, not 0"),
        (["--hw", "45nm", "--dataflow", "sideways"], "invalid choice: 'sideways'"),
        (["--hw", "45nm", "--form", "linear"], "invalid choice: 'linear'"),
        (["--hw", "45nm", "--seq-len", "0"], "must be at least 1, not 0"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_flags_give_one_line(
    parser: argparse.ArgumentParser, refusal: Refusal, words: list[str], said: str
) -> None:
    assert said in refusal(parser, ["breakeven", *words])
