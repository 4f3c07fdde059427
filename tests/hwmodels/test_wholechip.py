from __future__ import annotations

import pytest
from builders import parse_profile

from hwmodels import ProfileError
from hwmodels.diff import differences
from hwmodels.wholechip import Work

WHOLE = """
name = "chip"
title = "A chip"
precision = "bf16"
value_bytes = 2
scope = "whole_chip"
prices = {}
[whole_chip]
boundary = "the GPU"
[whole_chip.energy.weight_byte]
pj = 170
source = "a test"
evidence = "derived"
spread = [0.9, 1.2]
[whole_chip.latency.step]
ps = 2e9
source = "a test"
evidence = "derived"
[whole_chip.fitted]
points = 9
models = 2
sequences = [1.5, 64.0]
context = [100.0, 900.0]
gpus = [1, 2]
[whole_chip.intervals]
energy = [0.9, 1.1]
[[whole_chip.left_out]]
model = "m"
kind = "dense"
points = 9
energy = 0.05
"""


def test_a_whole_chip_has_prices_of_work_and_none_of_operations() -> None:
    chip = parse_profile(WHOLE, name="chip").whole_chip
    assert chip is not None
    assert chip.energy[Work.WEIGHT_BYTE].pj == 170
    assert chip.latency[Work.STEP].ps == 2e9
    assert chip.intervals.latency is None


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "prices = {}",
            "prices.mac = {pj = 1, source = 's', evidence = 'derived'}",
            "prices would",
        ),
        ("prices = {}", "prices = {}\nincluded.mac = 'x'", "included would be paid twice; take"),
        ('scope = "whole_chip"', "", "has a table [whole_chip], and no other has one"),
        ("weight_byte]", "weight_bite]", "did you mean 'weight_byte'?"),
        ("pj = 170", "pj = -170", "must be 0, or from 1e-09 to 1e+18 pJ"),
        ("energy = [0.9, 1.1]", "", "key 'whole_chip.intervals.energy' is missing"),
        ('kind = "dense"', 'kind = "sparse"', "must be one of dense, experts, recurrent"),
    ],
)
def test_a_whole_chip_that_is_mixed_or_wrong_is_refused(old: str, new: str, sentence: str) -> None:
    assert old in WHOLE
    with pytest.raises(ProfileError) as refused:
        parse_profile(WHOLE.replace(old, new), name="chip")
    assert sentence in " ".join(refused.value.faults)


def test_the_difference_of_two_names_their_prices() -> None:
    a = parse_profile(WHOLE, name="chip")
    b = parse_profile(WHOLE.replace("170", "187").replace("2e9", "3e9"), name="chip")
    assert {x.key: x.ratio for x in differences(a, b)} == {
        "whole_chip.energy.weight_byte": pytest.approx(1.1),
        "whole_chip.latency.step": pytest.approx(1.5),
    }
