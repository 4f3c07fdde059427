from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from energy.formulas import Attention, Conventions
from neurt.requests.evaluate import EvaluateRequest


def asked(**changes: object) -> EvaluateRequest:
    return EvaluateRequest.model_validate({"model": "m", "out": Path("o")} | changes)


@pytest.mark.parametrize(
    ("changes", "positions", "windows"),
    [
        ({}, 1024, (256, 128)),
        ({}, 64, (64, 32)),
        ({"window": 100}, 1024, (100, 50)),
        ({"window": 3}, 1024, (3, 1)),
        ({"stride": 7}, 1024, (256, 7)),
        ({"window": 16, "stride": 16}, 1024, (16, 16)),
    ],
)
def test_windows_have_the_positions_up_to_256_and_overlap_by_half(
    changes: dict[str, object], positions: int, windows: tuple[int, int]
) -> None:
    assert asked(**changes).windows(positions) == windows


def test_hardware_that_is_named_replaces_the_default() -> None:
    assert asked().hw == ("45nm",)
    assert asked(hw=["loihi", "45nm"]).hw == ("loihi", "45nm")


def test_words_become_types() -> None:
    assert asked(attention="causal").conventions == Conventions(Attention.CAUSAL)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_tokens": 1},
        {"window": 1},
        {"stride": 0},
        {"batch": 0},
        {"calibration_tokens": 1},
        {"windows": 3},
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        asked(**changes)
