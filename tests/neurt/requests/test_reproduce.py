from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from neurt.requests.base import MEASURED, RequestError
from neurt.requests.reproduce import VARIED, ReproduceRequest
from neurt.spiking.config import Form, SpikingConfig
from neurt.verbs.flags import flag_fields

OUT = Path("out")


def test_points_come_in_the_order_of_the_table() -> None:
    points = ReproduceRequest(models=("a", "b"), timesteps=(2, 4), out=OUT).points()
    # The literal form with its own code, then the default conversion.
    coded = (("spikformer", "signed_if"), ("softmax", "pow2"))
    assert [(p.model, p.spiking.form, p.spiking.code, p.spiking.timesteps) for p in points] == [
        (model, *form, steps) for model in ("a", "b") for form in coded for steps in (2, 4)
    ]


def test_hardware_makes_no_point() -> None:
    # 4 models x 2 forms x 3 time steps, whatever the number of constants
    assert len(ReproduceRequest(out=OUT).points()) == 24
    assert len(ReproduceRequest(hw=("45nm",), out=OUT).points()) == 24
    assert {p.hw for p in ReproduceRequest(out=OUT).points()} == {()}


def test_what_differs_in_nothing_is_one_point() -> None:
    # spikformer x 1 (its K and V are spikes anyway) + softmax x 2, x 2 kinds of pairs
    request = ReproduceRequest(
        models=("a", "a"),
        timesteps=(2,),
        forms=("spikformer", "softmax"),
        key_values=("stored", "streamed"),
        attention=("full", "causal"),
        out=OUT,
    )
    points = request.points()
    assert len(points) == 3 * 2
    assert {p.spiking.key_value for p in points if p.spiking.form == "spikformer"} == {"stored"}


@pytest.mark.parametrize("field", ["models", "timesteps", "hw", "forms", "attention"])
def test_an_empty_list_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=f"{field}\n.*at least 1 item"):
        ReproduceRequest(**{field: ()}, out=OUT)


@pytest.mark.parametrize(("field", "value"), [("jobs", 0), ("memory_gib", 0), ("tokens", 0)])
def test_a_number_that_is_none_is_refused(field: str, value: int) -> None:
    with pytest.raises(ValidationError, match=field):
        ReproduceRequest(**{field: value}, out=OUT)


def test_other_choices_of_the_conversion_are_those_of_all_runs() -> None:
    chosen = SpikingConfig(threshold=2, head=True, lif_quantile=0.7)
    request = ReproduceRequest(models=("a",), timesteps=(2,), spiking=chosen, out=OUT)
    literal, usual = (point.spiking for point in request.points())
    assert (literal.form, usual.form) == (Form.SPIKFORMER, Form.SOFTMAX)
    assert {(x.threshold, x.head) for x in (literal, usual)} == {(2, True)}
    # Softmax attention has no LIF neurons: there the quantile is as it is by default.
    assert (literal.lif_quantile, usual.lif_quantile) == (0.7, SpikingConfig().lif_quantile)


@pytest.mark.parametrize(
    ("forms", "idle"),
    [
        (("spikformer", "softmax"), False),
        (("softmax",), True),
    ],
)
def test_a_choice_is_idle_where_it_changes_no_run(forms: tuple[str, ...], idle: bool) -> None:
    asked = ReproduceRequest(spiking=SpikingConfig(lif_quantile=0.7), forms=forms, out=OUT)
    assert ("lif_quantile" in asked.idle()) is idle


def test_choices_that_exclude_each_other_in_any_run_are_refused() -> None:
    spiking = SpikingConfig(dead_zone="loss")
    ReproduceRequest(forms=("softmax",), spiking=spiking, out=OUT).check()
    with pytest.raises(RequestError, match="signed_if in spikformer attention"):
        ReproduceRequest(spiking=spiking, out=OUT).check()


def test_every_choice_of_a_conversion_is_a_flag() -> None:
    flags = {field.path[-1] for field in flag_fields(ReproduceRequest)}
    plural = {"timesteps", "forms", "codes", "key_values"}
    assert {x for x in MEASURED if x not in VARIED} | plural <= flags
