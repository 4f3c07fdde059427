from __future__ import annotations

import re

import pytest
from builders import parse_profile

from hwmodels import (
    Buffer,
    Dataflow,
    Evidence,
    HardwareProfile,
    Op,
    ProfileError,
    load_profile,
    profile_names,
)
from hwmodels.doubts import ProfileWarning
from hwmodels.machine import Delivery, Encoding, Fusion, Room, Widths
from hwmodels.prices import (
    Bandwidth,
    Core,
    MemoryLevel,
    Price,
    StaticPower,
    Throughput,
)
from hwmodels.systems import Boundary, Phase, SystemFigure
from hwmodels.template import PRICED, extension_template, template

RECORDS = (
    *(HardwareProfile, Price, StaticPower, Throughput, Core, SystemFigure),
    *(Widths, Delivery, Bandwidth),
)


def test_it_is_valid_as_it_is() -> None:
    mine = parse_profile(template("mine"), name="mine")
    assert mine.name == "mine"
    assert {price.evidence for price in mine.prices.values()} == {Evidence.UNVERIFIED}


def test_it_is_valid_with_everything_that_is_commented_out() -> None:
    everything = re.sub(r"^#(?=[^\s:])", "", template("mine"), flags=re.MULTILINE)
    with pytest.warns(ProfileWarning, match=r"shift_ac, .*: priced as in 'fp32', .* is 'int8'"):
        mine = parse_profile(everything, name="mine")  # it extends 45nm as well
    assert mine.static_power is not None
    assert mine.core is not None
    assert mine.throughput
    assert mine.system
    assert mine.prices[Op.MAC].conflict > 1
    assert mine.widths.weights == 4.156
    assert mine.delivery is not None
    assert mine.bandwidth


def test_it_names_every_key_and_explains_every_word() -> None:
    text = template("mine")
    keys = {field for record in RECORDS for field in record.model_fields}
    keys |= set(MemoryLevel.model_fields) | {"extends", "precisions", "unpriced"}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)] == []
    assert [op for op in PRICED if op.definition not in text] == []
    assert [op for op in Op if op not in PRICED and op.buffer is None] == [Op.DELIVERY]
    assert [grade for grade in Evidence if grade.definition not in text] == []
    words = [
        *PRICED,
        *(op for op in Op if op.buffer),
        *Buffer,
        *Dataflow,
        *Fusion,
        *Encoding,
        *Room,
        *Boundary,
        *Phase,
    ]
    assert [word for word in words if word not in text] == []
    for ways in (Fusion, Encoding, Room, Boundary):
        assert [way for way in ways if way.definition not in text] == []


@pytest.mark.parametrize("parent", profile_names())
def test_an_extension_of_any_profile_is_valid(parent: str) -> None:
    before = load_profile(parent)
    if before.whole_chip is not None:
        with pytest.raises(ProfileError, match=r"which belong together; fit those of yours with"):
            extension_template("mine", parent, before)
        return
    mine = parse_profile(extension_template("mine", parent, before), name="mine")
    changed = [op for op in mine.prices if mine.prices[op] != before.prices.get(op)]
    assert len(changed) == 1
    assert mine.memory == before.memory


def test_words_of_the_parent_are_quoted() -> None:
    parent = load_profile("45nm").model_copy(update={"name": 'a "chip" \\ of mine'})
    text = extension_template("mine", "45nm", parent)
    assert parse_profile(text, name="mine").title == 'mine, from a "chip" \\ of mine'


@pytest.mark.parametrize("name", ["", "../mine", "my/chip", ".mine", 'm"', "x" * 65, "a\nb"])
def test_a_name_becomes_the_name_of_a_file(name: str) -> None:
    with pytest.raises(ProfileError, match="cannot be the name of a profile"):
        template(name)
    with pytest.raises(ProfileError, match="cannot be the name of a profile"):
        extension_template(name, "45nm", load_profile("45nm"))
