from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from neurt.requests.training import PretrainRequest, RequestError, TrainingSettings


def request(**changes: Any) -> PretrainRequest:
    return PretrainRequest(text="sotu", out=Path("runs/my model"), **changes)


def test_the_settings_of_the_loop_are_those_of_the_request() -> None:
    settings = request(steps=7, warmup_steps=3, clip=0.5, seed=9).settings
    assert type(settings) is TrainingSettings
    assert (settings.steps, settings.warmup_steps, settings.clip, settings.seed) == (7, 3, 0.5, 9)
    assert (settings.batch, settings.tokens, settings.schedule) == (8, 256, "cosine")


def test_the_command_says_every_choice() -> None:
    asked = request(layers=6, learning_rate=2e-3, save_dtype="float16", resume=True)
    assert asked.command == (
        "neurt-energy pretrain --steps 2000 --batch 8 --tokens 256 --learning-rate 0.002 "
        "--schedule cosine --warmup-steps 100 --weight-decay 0.1 --clip 1.0 --seed 0 "
        "--save-every 100 --save-dtype float16 --out 'my model' --device auto --dtype auto "
        "--text sotu --layers 6 --width 128 --heads 4 --vocabulary 4096 --positions 256"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 130}, "--width (= 130) must be divisible by --heads (= 4)"),
        ({"tokens": 512}, "--tokens (= 512) must be at most --positions (= 256)"),
        ({"steps": 100}, "--warmup-steps (= 100) must be below --steps (= 100)"),
    ],
)
def test_parts_must_fit_each_other(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        request(**changes).check()
    assert str(caught.value) == said


def test_the_defaults_fit() -> None:
    request().check()


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"batch": -1},
        {"tokens": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("inf")},
        {"weight_decay": -0.1},
        {"seed": -1},
        {"save_dtype": "bfloat16"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_impossible_values_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**changes)
