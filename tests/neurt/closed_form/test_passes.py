import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurt.closed_form.passes import (
    PlanError,
    Stage,
    check_positions,
    check_stages,
    decode,
    prefill,
    whole_request,
)
from neurt.families import Shape

TINY = Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)


def test_more_tokens_than_positions_are_refused() -> None:
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions of 'tiny'"):
        check_positions(65, TINY.positions, "tiny")


def test_the_longest_pass_of_a_request_decides() -> None:
    # The last of 5 new tokens is never fed back: 60 + 5 - 1 = 64 positions.
    check_stages(whole_request(60, 5), TINY, "tiny")
    with pytest.raises(PlanError, match=r"^65 tokens .* lower .*--prompt or --generate$"):
        check_stages(whole_request(60, 6), TINY, "tiny")


def test_the_prefill_gives_the_first_new_token_and_each_step_one_more() -> None:
    first, steps = whole_request(6, 4, batch=2, repeats=3)
    assert first == Stage("prefill", (prefill(6, batch=2, repeats=3),))
    assert steps.passes == tuple(decode(n, batch=2, repeats=3) for n in (7, 8, 9))
    assert (first.phase, steps.phase) == ("prefill", "decode@7-9")
    assert (first.generated, steps.generated) == (3, 9)  # 4 new tokens in each of 3 windows


def test_one_new_token_needs_no_decode() -> None:
    [only] = whole_request(6, 1)
    assert (only.name, only.generated) == ("prefill", 1)


def test_one_step_is_named_by_its_context() -> None:
    assert whole_request(6, 2)[1].phase == "decode@7"


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.integers(1, 3))
def test_every_token_but_the_last_goes_through_the_model_once(
    prompt: int, generate: int, batch: int, repeats: int
) -> None:
    passes = [
        one
        for stage in whole_request(prompt, generate, batch=batch, repeats=repeats)
        for one in stage.passes
    ]
    assert sum(one.tokens for one in passes) == batch * repeats * (prompt + generate - 1)
    assert [one.keys for one in passes] == list(range(prompt, prompt + generate))
