from __future__ import annotations

from collections.abc import Callable

import pytest

from reports import Run
from reports.compare.against import changed, labels, measures, points
from reports.compare.comparison import compare_runs


@pytest.mark.parametrize(
    ("value", "base", "words"),
    [
        (4.0, 4.0, "same"),
        (4.001, 4.0, "same"),  # 0.025 %
        (3.0, 4.0, "25.0 % less"),
        (5.0, 4.0, "25.0 % more"),
        (8.0, 4.0, "100.0 % more"),
        (9.0, 4.0, "× 2.25"),
        (1.0, 4.0, "× 0.25"),
        (8000.0, 2.0, "× 4,000"),
        (0.0, 0.0, "same"),
        (1.0, 0.0, "-"),
    ],
)
def test_an_energy_beside_another(value: float, base: float, words: str) -> None:
    assert changed(value, base) == words


def test_a_share_beside_another() -> None:
    assert points(0.25, 0.125) == "+12.5 points"
    assert points(-0.25, 0.0) == "-25.0 points"
    assert points(0.2504, 0.25) == "same"  # 0.04 points


def test_each_row_is_beside_each(make_run: Callable[..., Run]) -> None:
    rows = compare_runs({"a": make_run("45nm", "loihi"), "b": make_run("45nm", tokens=8)})
    assert labels(rows) == ["a, 45nm", "a, loihi", "b"]
    fused, unfused, *savings = measures(rows)
    assert [one.heading for one in (fused, unfused)] == [
        *("spiking, fused, per token", "spiking, unfused, per token")
    ]
    first, second, third = fused.cells
    assert second == ("unpriced", ("-", "reference", "-"))
    assert [first.against[:2], third.against[1:]] == [("reference", "-"), ("-", "reference")]
    # What one has more, the other has less.
    assert {first.against[2].split()[-1], third.against[0].split()[-1]} == {"less", "more"}
    assert [one.cells[1].value for one in savings] == ["-", "-"]
    assert savings[0].cells[0].against[2].endswith("points")
