from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from neurt.requests.finetune import FinetuneRequest
from neurt.requests.training import TrainingSettings


def request(**changes: Any) -> FinetuneRequest:
    return FinetuneRequest(**{"model": "gpt2-nano", "text": "sotu", "out": Path("m")} | changes)


def test_the_settings_of_a_stage_are_those_of_the_request() -> None:
    asked = request(batch=4, tokens=16, learning_rate=0.5, clip=2, seed=3, save_every=7)
    assert asked.settings(60) == TrainingSettings(
        steps=60,
        batch=4,
        tokens=16,
        learning_rate=0.5,
        warmup_steps=20,
        weight_decay=0.0,
        clip=2.0,
        seed=3,
        save_every=7,
    )


def test_a_stage_may_have_a_learning_rate_of_its_own() -> None:
    asked = request(learning_rate=0.5)
    slower = asked.settings(60).model_copy(update={"learning_rate": 0.125})
    assert asked.settings(60, 0.125) == slower
    assert asked.settings(60, None) == asked.settings(60)


@pytest.mark.parametrize(
    ("change", "idle"),
    [
        ({}, set()),
        ({"layer_steps": 0}, {"layer_learning_rate"}),
        ({"steps": 0}, {"baseline_learning_rate"}),
        ({"baseline": False}, {"baseline_learning_rate"}),
        ({"cross_entropy_weight": 0}, {"baseline_learning_rate"}),
        ({"train": "attention_thresholds"}, {"layer_learning_rate", "baseline_learning_rate"}),
    ],
)
def test_a_learning_rate_of_what_is_not_trained_would_change_nothing(
    change: dict[str, Any], idle: set[str]
) -> None:
    rates = {"layer_learning_rate", "baseline_learning_rate"}
    assert rates & request(**change).idle().keys() == idle


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (20, 19), (21, 20), (500, 20)])
def test_the_warm_up_leaves_at_least_one_step(steps: int, warmup: int) -> None:
    assert request().settings(steps).warmup_steps == warmup


@pytest.mark.parametrize(
    "change",
    [
        {"layer_steps": -1},
        {"steps": -1},
        {"batch": 0},
        {"tokens": 1},
        {"learning_rate": 0},
        {"learning_rate": float("inf")},
        {"layer_learning_rate": 0},
        {"baseline_learning_rate": -1},
        {"clip": float("nan")},
        {"target_events_per_mac": 0},
        {"held_out_tokens": 1},
        {"save_every": 0},
        {"train": "ffn"},
        {"save_dtype": "int8"},
        {"weights": "mine"},
        {"epochs": 3},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**change)
