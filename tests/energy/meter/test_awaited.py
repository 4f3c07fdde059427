"""Numbers that a device has not told yet are whole numbers in formulas."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from energy import Tally
from energy.meter import awaited
from energy.meter.awaited import Awaited, awaiting, settled, whole, wholes
from hwmodels import Op

COUNTS = st.integers(0, 2**50)


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors of the CPU count as those of an accelerator."""

    class Elsewhere(torch.Tensor):
        @property
        def device(self) -> torch.device:
            return torch.device("meta")

    real = awaited.wholes

    def elsewhere(asked: torch.Tensor, check: Any = None) -> list[int]:
        return real(asked.as_subclass(Elsewhere), check)

    monkeypatch.setattr(awaited, "wholes", elsewhere)


@given(COUNTS, COUNTS, st.integers(-9, 9), st.integers(1, 9))
def test_sums_and_multiples_are_those_of_the_numbers(a: int, b: int, n: int, d: int) -> None:
    x, y = (Awaited({(awaited._Reading(torch.tensor([it]), None), 0): 1}) for it in (a, b))
    for ours, plain in (
        (x + y, a + b),
        (x + n, a + n),
        (n + x, n + a),
        (x - y, a - b),
        (x - n, a - n),
        (n - x, n - a),
        (x * n, a * n),
        (n * x, n * a),
        (3 * (x + x - y) + n, 3 * (a + a - b) + n),
    ):
        assert isinstance(ours, Awaited)
        assert (int(ours), repr(ours), hash(ours), bool(ours)) == (
            plain,
            repr(plain),
            hash(plain),
            bool(plain),
        )
    for operation in (operator.truediv, operator.floordiv, operator.mod, operator.mul):
        assert operation(x, d) == operation(a, d)
    assert (x * 0.5, d / (x + 1), float(x)) == (a * 0.5, d / (a + 1), float(a))
    for compared in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        assert compared(x, y) == compared(a, b)
        assert compared(x, b) == compared(a, b)


@pytest.mark.usefixtures("somewhere")
def test_nothing_is_fetched_before_all_of_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = list[int]()
    real = awaited._fetch

    def fetch(readings: Any) -> None:
        fetched.append(len(readings))
        real(readings)

    monkeypatch.setattr(awaited, "_fetch", fetch)
    with awaiting() as done:
        one = awaited.whole(torch.tensor(7))
        two = awaited.wholes(torch.tensor([2, 3]))
        tally = Tally({Op.AC: 4 * one}, spikes=one + two[1], touched_weights=two[0])
        assert fetched == []
        done()
    assert settled(tally) == Tally({Op.AC: 28}, spikes=10, touched_weights=2)
    assert {type(x) for x in (*settled(tally).ops.values(), settled(tally).spikes)} == {int}
    assert fetched == [2]


@pytest.mark.usefixtures("somewhere")
def test_a_check_is_told_when_the_numbers_are_known() -> None:
    def check(numbers: Sequence[int]) -> None:
        raise ValueError(f"{numbers}")

    with awaiting() as done:
        awaited.wholes(torch.tensor([1, 2]), check)
        with pytest.raises(ValueError, match=r"\[1, 2\]"):
            done()


@pytest.mark.usefixtures("somewhere")
def test_few_readings_are_kept_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaited, "_MOST", 8)
    with awaiting():
        numbers = [awaited.whole(torch.tensor(at)) for at in range(30)]
        waiting = awaited._OPEN.get()
        assert waiting is not None
        assert len(waiting) <= 8
    assert numbers == list(range(30))


def test_numbers_on_the_cpu_and_outside_of_a_pass_are_known() -> None:
    with awaiting():
        assert type(whole(torch.tensor(7))) is int
    assert [type(x) for x in wholes(torch.tensor([1, 2]))] == [int, int]
