from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.formulas.conventions import Window
from neurt.closed_form.passes import (
    PlanError,
    Stage,
    beyond,
    check_length,
    check_positions,
    check_stages,
    decode,
    longest_of,
    prefill,
    whole_request,
)
from neurt.families import Dense, Layer, SelfAttention, Shape

TINY = Shape(layers=2, width=32, heads=4, inner=128, vocabulary=101, positions=64)


def test_more_tokens_than_positions_are_refused() -> None:
    with pytest.raises(PlanError, match="65 tokens are more than the 64 positions of 'tiny'"):
        check_positions(65, TINY.positions, "tiny")


def test_the_longest_pass_of_a_request_decides() -> None:
    # The last of 5 new tokens is never fed back: 60 + 5 - 1 = 64 positions.
    check_stages(whole_request(60, 5), TINY, "tiny")
    with pytest.raises(PlanError, match=r"^65 tokens .* lower .*--prompt or --generate$"):
        check_stages(whole_request(60, 6), TINY, "tiny")


LLAMA = replace(TINY, model_type="llama")
LOCAL = replace(LLAMA, kinds=(Layer(SelfAttention(Window(48)), Dense(128)),) * 2)


def test_positions_that_are_no_table_end_no_count() -> None:
    stages = whole_request(60, 6)
    check_stages(stages, LLAMA, "tiny")
    check_stages(stages, LOCAL, "tiny", analog=True)
    assert beyond(longest_of(stages), LLAMA.positions, "tiny") == (
        "65 tokens are more than the 64 positions that the configuration of 'tiny' names: no count "
        "depends on them, but what it answers there may",
    )
    assert beyond(64, LLAMA.positions, "tiny") == ()


def test_what_a_model_learned_at_its_positions_ends_with_them() -> None:
    check_stages(whole_request(60, 5), LLAMA, "tiny", values=True)
    with pytest.raises(
        PlanError, match=r"^65 tokens are more than the 64 positions.*`neurt-energy"
    ):
        check_stages(whole_request(60, 6), LLAMA, "tiny", values=True)


def test_a_spiking_model_does_not_outgrow_a_window() -> None:
    check_length(48, LOCAL, "tiny")
    with pytest.raises(PlanError, match="49 tokens are more than the 48 that the sliding window"):
        check_length(49, LOCAL, "tiny")


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
