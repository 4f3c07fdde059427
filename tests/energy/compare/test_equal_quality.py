from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.compare.equal_quality import Point, cost_at, frontier

#: A curve that is a straight line in the logarithm of KL: cost = 10 - ln KL.
LINE = [Point(exp(k), 10.0 - k) for k in (-5, -3, 0)]


@given(st.floats(-5, 0))
def test_between_points_the_cost_is_linear_in_the_logarithm_of_kl(k: float) -> None:
    inside = min(max(exp(k), LINE[0].kl_nats), LINE[-1].kl_nats)
    assert cost_at(LINE, inside) == pytest.approx(10 - k)


def test_halfway_in_the_logarithm_is_the_geometric_mean() -> None:
    # sqrt(0.01 x 0.04) = 0.02, and halfway from 8 to 6 is 7.
    assert cost_at([Point(0.04, 6.0), Point(0.01, 8.0)], 0.02) == pytest.approx(7.0)


@pytest.mark.parametrize("kl", [0.0, -1e-9, 0.009, 0.05])
def test_beyond_the_points_nothing_is_said(kl: float) -> None:
    assert cost_at([Point(0.01, 8.0), Point(0.04, 6.0)], kl) is None


def test_at_a_point_its_own_cost_is_said() -> None:
    for point in LINE:
        assert cost_at(LINE, point.kl_nats) == pytest.approx(point.cost)


def test_a_point_that_another_beats_is_no_part_of_the_curve() -> None:
    # Nearer and cheaper than 0.02 / 9 is 0.01 / 8; 0.01 / 8.5 costs more at the same KL.
    points = [Point(0.02, 9.0), Point(0.01, 8.0), Point(0.01, 8.5), Point(0.04, 6.0)]
    assert frontier(points) == [Point(0.01, 8.0), Point(0.04, 6.0)]
    assert cost_at(points, 0.02) == pytest.approx(7.0)


def test_where_the_nearest_point_is_the_cheapest_it_stands_for_the_others() -> None:
    points = [Point(0.01, 5.0), Point(0.04, 6.0)]
    assert cost_at(points, 0.03) == 5.0
    assert cost_at(points, 0.05) is None


def test_a_kl_of_nothing_is_no_point() -> None:
    assert frontier([Point(0.0, 1.0), Point(-1e-12, 1.0)]) == []
    assert cost_at([Point(0.0, 9.0), Point(0.1, 5.0)], 0.05) is None
    assert cost_at([], 0.1) is None


@given(
    st.lists(st.tuples(st.floats(1e-6, 10), st.floats(0.1, 100)), min_size=1, max_size=8),
    st.floats(1e-6, 10),
)
def test_the_cost_never_rises_with_kl(pairs: list[tuple[float, float]], kl: float) -> None:
    points = [Point(*pair) for pair in pairs]
    here, further = cost_at(points, kl), cost_at(points, 2 * kl)
    if here is not None and further is not None:
        assert further <= here * (1 + 1e-12)
    if here is not None:
        assert min(p.cost for p in points) <= here <= max(p.cost for p in points)
