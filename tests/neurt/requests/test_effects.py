"""Choices about a machine that no bill of it can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import refused

from neurt.requests.base import RequestError
from neurt.requests.hardware import Compared


@pytest.mark.parametrize(
    ("hw", "given", "why"),
    [
        ("loihi", {"widths": {"kv": 4}}, "--widths kv has no effect on loihi"),
        ("loihi", {"fusion": "fused"}, "--fusion has no effect on loihi"),
        ("loihi", {"dataflow": "layerwise"}, "--dataflow has no effect on loihi"),
        ("loihi", {"room": "fixed-order"}, "--room has no effect on loihi"),
        ("northpole", {"encoding": "packed"}, "--encoding has no effect on northpole"),
        ("loihi", {"dataflow": "gathered"}, "--dataflow has no effect on loihi"),
        (
            "45nm",
            {"encoding": "packed", "dataflow": "event-driven"},
            "the dataflow event-driven moves each spike as an address",
        ),
    ],
    ids=str,
)
def test_what_changes_no_bill_is_refused_unless_other_hardware_takes_it(
    hw: str, given: dict[str, Any], why: str
) -> None:
    assert why in refused(RequestError, Compared.model_validate({"hw": (hw,)} | given).profiles)
    if hw != "45nm":  # which has memory
        other = Compared.model_validate({"hw": (hw, "45nm")} | given)
        assert [profile.name for profile in other.profiles()] == [hw, "45nm"]


def test_rows_are_gathered_only_where_weights_have_a_price(tmp_path: Path) -> None:
    own = 'extends = "45nm-int8"\nname = "mine"\nunpriced = ["weights"]\n'
    (path := tmp_path / "mine.toml").write_text(own)
    request = Compared.model_validate({"hw": (str(path),), "dataflow": "gathered"})
    assert refused(RequestError, request.profiles) == (
        "--dataflow gathered has no effect on mine: reading weights has no price, so that rows "
        "left out save nothing; leave it out, or give another --hw"
    )
    assert request.model_copy(update={"hw": (str(path), "45nm")}).profiles()


@pytest.mark.parametrize(
    "own", [{"dataflow": "event-driven"}, {"fusion": "unfused"}, {"room": "by-need"}], ids=str
)
def test_what_a_profile_says_itself_is_true_and_no_error(own: dict[str, Any]) -> None:
    [profile] = Compared.model_validate({"hw": ("loihi",)} | own).profiles()
    assert profile.name == "loihi"


@pytest.mark.parametrize("hw", ["45nm-int8", "loihi"])
def test_a_mixed_comparison_needs_two_precisions(hw: str) -> None:
    request = Compared(hw=(hw,), mixed=True)
    assert "INT8 itself, or has no INT8 prices" in refused(RequestError, request.profiles)
    assert Compared(hw=(hw, "45nm"), mixed=True).profiles()
