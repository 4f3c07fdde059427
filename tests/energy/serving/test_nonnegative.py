from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.serving.nonnegative import nonnegative


def solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return nonnegative(a.T @ a, a.T @ b)


def test_two_columns_by_hand() -> None:
    # b = 2 a_1 - a_2 with a_1 = (1, 0), a_2 = (0, 1): the best x_2 >= 0 is 0.
    assert solve(np.eye(2), np.array([2.0, -1.0])) == pytest.approx([2, 0])
    # a = (1, 1), b = (1, 3): the mean, 2.
    assert solve(np.ones((2, 1)), np.array([1.0, 3.0])) == pytest.approx([2])


def test_columns_of_very_different_sizes() -> None:
    a = np.array([[1e9, 1e-9], [2e9, 1e-9], [3e9, 4e-9]])
    x = np.array([3e-12, 5e8])
    assert solve(a, a @ x) == pytest.approx(x, rel=1e-9)


def test_a_column_of_zeros_gets_nothing() -> None:
    a = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert solve(a, np.ones(2)) == pytest.approx([1, 0])


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(0, 30))
def test_the_conditions_of_kuhn_and_tucker_hold(seed: int, columns: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(columns + more, columns)) + 0.5
    b = rng.normal(size=columns + more) + 0.5
    x = solve(a, b)
    gradient = a.T @ (b - a @ x)
    scale = np.linalg.norm(a, axis=0) * np.linalg.norm(b)
    assert (x >= 0).all()
    assert (gradient <= 1e-8 * scale).all()  # no coefficient would help by growing
    assert np.abs(gradient[x > 0]).max(initial=0) <= 1e-8 * scale.max()  # none by changing


def test_it_agrees_with_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is no dependency")
    rng = np.random.default_rng(0)
    for _ in range(100):
        a, b = rng.normal(size=(20, 6)) + 0.3, rng.normal(size=20) + 1
        assert solve(a, b) == pytest.approx(optimize.nnls(a, b)[0], abs=1e-8)
