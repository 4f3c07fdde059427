from __future__ import annotations

from typing import Any

import pytest
from builders import CITED, chip
from pydantic import ValidationError

from hwmodels import Buffer, Op
from hwmodels.machine import Delivery, Widths

TRAFFIC = [op for op in Op if op.buffer is not None]


@pytest.mark.parametrize("where", ["prices", "included", "throughput"])
def test_a_fetch_beside_the_adders_has_its_price_in_delivery(where: str) -> None:
    entry: Any = {
        "prices": {"pj": 1.0, **CITED},
        "included": "inside the mac",
        "throughput": {"per_second": 10, **CITED},
    }[where]
    with pytest.raises(
        ValidationError, match=rf"{where}\.delivery_values is a fetch .* 'delivery'"
    ):
        chip(**{where: {"delivery_values": entry}})


@pytest.mark.parametrize(
    ("widths", "fault"),
    [
        # An arithmetic of 2 bytes takes 16 bits and less ...
        ({"weights": 16, "activations": 4.5, "kv": 16}, ""),
        (
            {"weights": 16.5},
            "weights of 16.5 bits do not fit the arithmetic of 'mine', which takes 16",
        ),
        ({"activations": 32}, "activations of 32 bits do not fit"),
        ({"kv": 17}, "kv of 17 bits do not fit"),
        # ... but biases and sums are added, which may be wider than what is multiplied.
        ({"vectors": 32, "accumulators": 32}, ""),
    ],
)
def test_an_operand_that_is_multiplied_fits_the_arithmetic(
    widths: dict[str, float], fault: str
) -> None:
    narrow = chip(value_bytes=2)
    unchecked = narrow.model_copy(update={"widths": Widths.model_validate(widths)})
    assert unchecked.too_wide.startswith(fault)
    assert bool(unchecked.too_wide) == bool(fault)
    if fault:
        assert unchecked.too_wide.endswith("which takes 16; take a profile of that precision")
        with pytest.raises(ValidationError, match=f"widths: {fault}"):
            chip(value_bytes=2, widths=widths)
    else:
        assert chip(value_bytes=2, widths=widths) == unchecked


def test_bits_of_what_moves_are_those_of_its_operand_else_of_the_arithmetic() -> None:
    plain = chip(value_bytes=2, widths={})
    assert {plain.width_bits(op) for op in TRAFFIC if op.buffer is not Buffer.STATE} == {16}
    assert plain.width_bits(Op.STATE_READ) == plain.width_bits(Op.STATE_WRITE) == 32
    named = {"weights": 4.5, "activations": 12, "kv": 8, "accumulators": 24}
    machine = chip(value_bytes=2, widths=named)
    bits = {
        op.value.rpartition("_")[0]: machine.width_bits(op) for op in TRAFFIC if not op.moves_spikes
    }
    assert bits == {
        "weight_read": 4.5,
        "vector_read": 12,  # as activations, unless it is named
        "activation_read": 12,
        "activation_write": 12,
        "state_read": 24,
        "state_write": 24,
        "kv_read": 8,
        "kv_write": 8,
    }
    assert chip(value_bytes=2, widths=named | {"vectors": 32}).width_bits(Op.VECTOR_READ) == 32


def test_a_range_of_reuse_does_not_fall() -> None:
    fetch = {"pj_per_byte": 1.0, "mac_reuse": 4, "event_reuse": 4, **CITED}
    assert Delivery.model_validate(fetch | {"reuse_range": [4, 4]}).reuse_range == (4, 4)
    with pytest.raises(ValidationError, match="the highest reuse, but 9 is more than 2"):
        Delivery.model_validate(fetch | {"reuse_range": [9, 2]})
