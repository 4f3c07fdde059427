from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurt.cli import main
from neurt.requests.passes import PlanRequest
from neurt.requests.sizes import each


def sizes(text: object) -> tuple[int, ...]:
    return each(PlanRequest(model="gpt2-small", hw=("45nm",), batch=text).batch)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8", (8,)),
        (8, (8,)),
        ("1,8,64", (1, 8, 64)),
        ("64, 8,8", (8, 64)),
        ("128..1024", (128, 256, 512, 1024)),
        ("100..1000", (100, 128, 256, 512, 1000)),
        ("1..2", (1, 2)),
        ("3..4,7", (3, 4, 7)),
        ((1, 4), (1, 4)),
    ],
)
def test_sizes_are_one_several_or_a_span(text: object, found: tuple[int, ...]) -> None:
    assert sizes(text) == found


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_span_is_its_ends_and_the_powers_of_two_between(low: int, high: int) -> None:
    low, high = sorted((low, high + 1))
    found = sizes(f"{low}..{high}") if low < high else (low, high)
    assert (found[0], found[-1]) == (low, high)
    assert set(found[1:-1]) == {2**n for n in range(24) if low < 2**n < high}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--batch 0", "argument --batch: must be at least 1, not 0"),
        ("--batch 1,99999999", "must be at most 10,000,000, not 99999999"),
        ("--batch 8..1", "a span must rise"),
        ("--batch 1..99999999", "must be at most 10,000,000, not 99999999"),
        ("--batch 1,x", "must be integers, as 8, 1,8,64 or 128..8192, not 'x'"),
        ("--batch 1,", "must be integers"),
        (f"--batch {','.join(map(str, range(1, 80)))}", "has 79 sizes, and 64 are the most"),
        ("--batch 1..65536 --phase decode --context 1..65536", "make 289 pairs, and 256"),
        ("--context 1,8", "--context: has no effect here: prefill has --seq-len tokens"),
        ("--context 1,8 --prompt 8 --generate 2", "--context: has no effect here"),
        ("--batch 1,8 --card", "--card: has no effect here: several --batch"),
        ("--batch 1,8 --page", "has no effect here: several --batch"),
        ("--batch 1,8 --details", "--details: has no effect here"),
        ("--batch 1,8 --memory", "--memory: has no effect here"),
        ("--batch 1,8 --mixed", "--mixed: has no effect here"),
    ],
)
def test_what_is_no_sweep_is_refused_before_anything_is_opened(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"plan --model nowhere --hw 45nm {words}".split()) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(re.escape(says), line)


def test_a_whole_chip_answers_requests(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "--model", "gpt2-small", "--hw", "h100"]
    assert main([*words, "--batch", "1,8"]) == 1
    assert "give --prompt N and --generate N" in capsys.readouterr().err
    assert main([*words, "--context", "1,8", "--phase", "decode"]) == 1
    assert "which say how long a request is; give several --batch" in capsys.readouterr().err
