from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurt.text.windows import QualityError, Window, batches, check_windows, plan_windows


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, int, int]:
    window = draw(st.integers(2, 40))
    return draw(st.integers(2, 200)), window, draw(st.integers(1, window))


def scored(plan: list[Window]) -> list[int]:
    return [token for one in plan for token in range(one.first, one.stop)]


@given(requests())
def test_each_token_is_scored_exactly_once(request: tuple[int, int, int]) -> None:
    tokens, window, stride = request
    found = scored(plan_windows(tokens, window, stride))
    # Windows that share no token cannot score the first of each: nothing stands before it.
    alone = set(range(0, tokens, window)) if stride == window else {0}
    assert found == [token for token in range(tokens) if token not in alone]


@given(requests())
def test_windows_lie_a_stride_apart_and_only_the_last_is_shorter(
    request: tuple[int, int, int],
) -> None:
    tokens, window, stride = request
    plan = plan_windows(tokens, window, stride)
    assert [one.start for one in plan] == [i * stride for i in range(len(plan))]
    assert all(one.tokens == window for one in plan[:-1])
    assert plan[-1].tokens <= window


@given(requests())
def test_every_scored_token_is_predicted_from_a_position_of_its_window(
    request: tuple[int, int, int],
) -> None:
    for one in plan_windows(*request):
        positions = range(one.tokens)[one.predicting]
        assert [one.start + position + 1 for position in positions] == list(
            range(one.first, one.stop)
        )


def test_a_text_shorter_than_a_window_is_one_window() -> None:
    assert plan_windows(5, 64, 32) == [Window(0, 5, 1)]


def test_the_first_window_is_scored_whole_and_later_ones_where_they_are_new() -> None:
    # 0..7 scores 1..7; 4..11 scores 8..11; 8..13 (six tokens) scores 12 and 13.
    assert plan_windows(14, 8, 4) == [Window(0, 8, 1), Window(4, 12, 8), Window(8, 14, 12)]


def test_a_last_window_of_one_token_scores_nothing_and_is_left_out() -> None:
    # With stride = window = 4 and nine tokens, token 8 would be alone in its window.
    assert plan_windows(9, 4, 4) == [Window(0, 4, 1), Window(4, 8, 5)]


@given(requests(), st.integers(1, 9))
def test_batches_keep_order_and_hold_windows_of_one_length(
    request: tuple[int, int, int], size: int
) -> None:
    plan = plan_windows(*request)
    parts = list(batches(plan, size))
    assert [one for part in parts for one in part] == plan
    assert all(len(part) <= size and len({one.tokens for one in part}) == 1 for part in parts)
    # Only the last window may have another length, so at most one batch is left half empty for it.
    assert len(parts) <= -(-len(plan) // size) + 1


@pytest.mark.parametrize(
    ("tokens", "window", "stride", "said"),
    [
        (1, 8, 4, "the text has 1 token, but each prediction needs one before it"),
        (0, 8, 4, "the text has 0 tokens"),
        (9, 8, 9, r"the stride \(= 9\) must be at least 1 and at most the window \(= 8\)"),
        (9, 8, 0, r"the stride \(= 0\) must be at least 1"),
        (9, 1, 1, "a window of 1 token predicts nothing; give --window 2 or more"),
        (9, 0, 1, "a window of 0 tokens predicts nothing"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(
    tokens: int, window: int, stride: int, said: str
) -> None:
    with pytest.raises(QualityError, match=said) as caught:
        plan_windows(tokens, window, stride)
    assert "\n" not in str(caught.value)


def test_a_window_beyond_the_positions_is_refused() -> None:
    check_windows(64, 32, 64)
    with pytest.raises(QualityError, match=r"the window \(= 65\) is longer than the 64 positions"):
        check_windows(65, 32, 64)


def test_planning_needs_no_torch() -> None:
    script = (
        "import sys, neurt.text.windows, neurt.requests.evaluate\n"
        "print({'torch', 'transformers', 'pandas'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
