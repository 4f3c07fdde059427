from __future__ import annotations

import pytest

from reports.kit.answers import between, saved


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.22384, "saves 22.4 %"),
        (-0.08, "costs 8.0 % more"),
        (0.0004, "costs the same"),
        (-0.0004, "costs the same"),
        (None, "has no price"),
    ],
)
def test_a_saving_is_a_verb_and_never_a_negative_number(share: float | None, said: str) -> None:
    assert saved(share) == said


@pytest.mark.parametrize(
    ("fused", "unfused", "said"),
    [
        (0.224, 0.195, "saves 22.4 % fused, 19.5 % unfused"),
        (-0.08, -0.1, "costs 8.0 % more fused, 10.0 % more unfused"),
        (0.05, -0.03, "saves 5.0 % fused, costs 3.0 % more unfused"),
        (0.05, 0.05, "saves 5.0 % fused and unfused"),
        (0.05, 0.0, "saves 5.0 % fused, costs the same unfused"),
        (0.05, None, "saves 5.0 % fused, has no price unfused"),
        (None, None, "has no price"),
    ],
)
def test_both_bounds_stand_in_one_sentence(
    fused: float | None, unfused: float | None, said: str
) -> None:
    assert between(fused, unfused) == said


def test_what_it_is_a_saving_of_stands_behind_the_first_number() -> None:
    assert between(0.2, 0.1, "of the model") == "saves 20.0 % of the model fused, 10.0 % unfused"
