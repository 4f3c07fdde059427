from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.kit.closeness import Closeness, Scored, total

COUNT = st.integers(1, 50)
NATS = st.floats(0, 100)
WINDOW = st.builds(Scored, COUNT, NATS, NATS, NATS)


def of(*windows: tuple[int, float, float, float]) -> Closeness:
    return Closeness(tuple(Scored(*window) for window in windows))


def test_the_change_is_that_of_the_mean_over_all_tokens() -> None:
    # 30 tokens, 60 and 66 nats: e^(6 / 30) - 1; 1.5 nats of KL
    found = of((10, 20.0, 20.0, 0.5), (20, 40.0, 46.0, 1.0))
    assert found.tokens == 30
    assert found.perplexity_change == pytest.approx(math.exp(0.2) - 1)
    assert found.kl_nats == pytest.approx(0.05)
    assert found.standard_error == pytest.approx(math.sqrt(2 * 0.05 / 30))


def test_equal_models_change_nothing_for_sure() -> None:
    found = of((10, 20.0, 20.0, 0.0), (20, 40.0, 40.0, 0.0))
    assert found.perplexity_change == found.standard_error == 0
    assert found.change_interval == found.kl_interval == (0, 0)


def test_one_window_has_no_interval() -> None:
    assert of((10, 1.0, 2.0, 0.1)).change_interval is None
    assert of((10, 1.0, 2.0, 0.1)).kl_interval is None


def test_a_change_beyond_all_numbers_is_infinite() -> None:
    assert of((1, 0.0, 1e4, 1.0)).perplexity_change == math.inf


def test_the_interval_is_as_wide_as_windows_differ() -> None:
    # 100 windows of 10 tokens, half of them 0.2 nats a token worse, half 0: the mean of 100 draws
    # has a standard deviation of 0.1 / 10 nats, so 95 % lie within 1.96 x 1 % of 10 %.
    found = of(*[(10, 0.0, 2.0 * (i % 2), 0.5 * (i % 2)) for i in range(100)])
    assert found.change_interval is not None
    assert found.kl_interval is not None
    low, high = (math.log1p(end) for end in found.change_interval)
    assert (low, high) == pytest.approx((0.0804, 0.1196), abs=0.004)
    # KL is a quarter of the difference in each window, and so are its ends.
    assert found.kl_interval == pytest.approx((low / 4, high / 4), rel=1e-9)


@given(st.lists(WINDOW, min_size=2, max_size=8))
def test_an_interval_lies_between_the_windows_and_is_always_the_same(
    windows: list[Scored],
) -> None:
    found = Closeness(tuple(windows))
    low, high = found.kl_interval or (0, 0)
    means = [window.kl_nats / window.tokens for window in windows]
    assert min(means) * (1 - 1e-9) <= low <= high <= max(means) * (1 + 1e-9)
    assert Closeness(tuple(windows)).kl_interval == found.kl_interval


@given(st.lists(WINDOW, min_size=1, max_size=5))
def test_the_total_adds_each_field(windows: list[Scored]) -> None:
    assert total(windows) == Scored(*(sum(field) for field in zip(*windows, strict=True)))
