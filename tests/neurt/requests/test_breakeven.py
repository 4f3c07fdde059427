from __future__ import annotations

import pytest
from pydantic import ValidationError

from neurt.closed_form.passes import decode, prefill
from neurt.requests.breakeven import BreakEvenRequest


def test_the_pass_that_is_meant() -> None:
    asked = {"hw": ("45nm",), "seq_len": 7, "context": 9, "batch": 2}
    assert BreakEvenRequest(**asked).what == prefill(7, batch=2)
    assert BreakEvenRequest(**asked, phase="decode").what == decode(9, batch=2)


@pytest.mark.parametrize(
    "wrong", [{"shapes": ((0, 3),)}, {"batch": 0}, {"dataflow": "backwards"}, {"text": "x"}]
)
def test_what_no_request_can_hold(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BreakEvenRequest(hw=("45nm",), **wrong)  # type: ignore[arg-type]
