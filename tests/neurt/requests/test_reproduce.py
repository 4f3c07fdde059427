from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from neurt.requests.reproduce import ReproduceRequest

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
