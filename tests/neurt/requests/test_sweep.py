from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from neurt.requests.evaluate import EvaluateRequest
from neurt.requests.sweep import SweepRequest
from neurt.spiking.config import Code, DeadZone, Form, SpikingConfig


def request(**changes: Any) -> SweepRequest:
    return SweepRequest(**{"model": "gpt2-nano", "out": Path("m")} | changes)


def conversions(**changes: Any) -> list[SpikingConfig]:
    return [point.spiking for point in request(**changes).points()]


def test_by_default_both_forms_are_swept_with_their_own_codes() -> None:
    points = conversions()
    thresholds = (0.5, 1.0, 2.0, 3.0)
    # Softmax with pow2 has two zones; the other has none.
    assert [(p.form, p.code, p.threshold) for p in points] == [
        *(("spikformer", "signed_if", x) for x in thresholds),
        *(("softmax", "pow2", x) for x in thresholds for _ in range(2)),
    ]
    assert [p.resolution for p in points[4:]] == [0.3, 1.0] * 4
    assert {(p.timesteps, p.attention_threshold) for p in points} == {(4, None)}
    assert {p.dead_zone for p in points} == {DeadZone.AUTO}


def test_each_combination_is_one_point_in_the_order_given() -> None:
    points = conversions(
        forms=("softmax",),
        codes=("sar", "burst"),
        timesteps=(8, 1),
        thresholds=(2.0,),
        attention_thresholds=(0.5, 1.0),
        calibrate=("quantile", "mse"),
    )
    assert [(p.code, p.timesteps, p.attention_threshold, p.calibrate) for p in points] == [
        (code, steps, threshold, calibrate)
        for code in (Code.SAR, Code.BURST)
        for steps in (8, 1)
        for threshold in (0.5, 1.0)
        for calibrate in ("quantile", "mse")
    ]
    assert {p.threshold for p in points} == {2.0}


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"timesteps": (4, 4, 2), "thresholds": (1, 1.0)}, 2),  # 4 and 2, 1 is 1.0
        # The greedy code finds its dead zones without a range to calibrate.
        ({"codes": ("pow2",), "timesteps": (4,), "calibrate": ("quantile", "mse")}, 4),
        # Dead zones are those of the greedy code in softmax attention; others have one way.
        ({"timesteps": (4,), "thresholds": (1,), "dead_zones": ("output", "loss")}, 1),
        # An analog value has neither threshold nor range, whatever the attention.
        ({"codes": ("exact",), "timesteps": (4,), "calibrate": ("quantile", "mse")}, 1),
        ({"codes": ("exact",), "timesteps": (4,), "attention_thresholds": (0.5, 2.0)}, 1),
    ],
    ids=["twice", "greedy", "dead zones", "exact", "exact attention"],
)
def test_what_makes_no_difference_is_one_point(changes: dict[str, Any], count: int) -> None:
    codes = {"codes": ("sar",), "resolutions": (1.0,)} | changes
    for form in Form:
        assert len(conversions(forms=(form,), **codes)) == count


def test_dead_zones_are_swept_where_there_are_any() -> None:
    points = conversions(
        codes=("sar", "pow2"),
        resolutions=(1.0,),
        thresholds=(1.0,),
        dead_zones=("output", "loss"),
    )
    assert [(p.form, p.code, p.dead_zone) for p in points] == [
        ("spikformer", "sar", "auto"),
        ("spikformer", "pow2", "output"),
        ("softmax", "sar", "auto"),
        ("softmax", "pow2", "output"),
        ("softmax", "pow2", "loss"),
    ]


def test_a_point_is_the_evaluation_that_was_asked_for() -> None:
    asked = request(
        weights="random",
        seed=3,
        hw=("45nm", "loihi"),
        text=Path("text.txt"),
        detokenise=True,
        calibration=Path("own.txt"),
        calibration_tokens=99,
        max_tokens=64,
        window=16,
        stride=8,
        batch=2,
        attention="causal",
        dead_zones=("loss",),
        codes=("pow2",),
        thresholds=(2.0,),
        resolutions=(0.5,),
        forms=("softmax",),
        jobs=3,
        ray="local",
    )
    [point] = asked.points()
    assert type(point) is EvaluateRequest
    assert point == EvaluateRequest(
        model="gpt2-nano",
        weights="random",
        seed=3,
        hw=("45nm", "loihi"),
        text=Path("text.txt"),
        detokenise=True,
        calibration=Path("own.txt"),
        calibration_tokens=99,
        max_tokens=64,
        window=16,
        stride=8,
        batch=2,
        attention="causal",
        out=Path("m"),
        spiking=SpikingConfig(threshold=2.0, resolution=0.5, dead_zone="loss"),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"forms": ("asa",)},
        {"codes": ("rate",)},
        {"timesteps": (0,)},
        {"timesteps": (65,)},
        {"thresholds": (0.0,)},
        {"thresholds": (float("nan"),)},
        {"attention_thresholds": (-1.0,)},
        {"calibrate": ("0.9",)},
        {"dead_zones": ("wide",)},
        {"calibration_tokens": 1},
        {"jobs": 0},
        {"workers": 2},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**change)


def test_baselines_of_the_analog_model_are_read_once_and_those_of_a_conversion_with_each() -> None:
    points = request(
        forms=("softmax", "spikformer"),
        codes=("pow2", "sar"),
        timesteps=(4,),
        thresholds=(1.0,),
        resolutions=(1.0,),
        baselines=("w8a8", "zones", "teal=0.25", "twin=4"),
    ).points()
    found = {(p.spiking.form, p.spiking.code): p.baselines for p in points}
    # zones need softmax attention and pow2, a twin needs softmax attention.
    assert found == {
        ("softmax", "pow2"): ("w8a8", "zones", "teal=0.25", "twin=4"),
        ("softmax", "sar"): ("twin=4",),
        ("spikformer", "pow2"): (),
        ("spikformer", "sar"): (),
    }
