from __future__ import annotations

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.map.cells import CONTENDERS, Bill

PARTS = ("compute", "neuron", "weights", "kv")
Parts = dict[str, dict[str, float]]


def bills() -> st.SearchStrategy[Parts]:
    pj = st.floats(min_value=0.5, max_value=1e12)
    parts = st.dictionaries(st.sampled_from(PARTS), pj, min_size=1)
    return st.fixed_dictionaries(dict.fromkeys(CONTENDERS, parts))


def bill(dense: float, zones: float, spiking: float) -> Bill:
    return Bill({"dense": {"kv": dense}, "zones": {"kv": zones}, "spiking": {"kv": spiking}})


@given(bills())
def test_the_winner_costs_least_and_the_runner_up_least_of_the_others(parts: Parts) -> None:
    found = Bill(parts)
    cheapest, second, _ = sorted(fsum(pj.values()) for pj in parts.values())
    assert (found.pj(found.winner), found.pj(found.runner_up)) == (cheapest, second)
    assert found.winner != found.runner_up
    assert found.margin == 1 - cheapest / second
    assert found.saving == 1 - cheapest / fsum(parts["dense"].values())
    assert (found.winner == "dense") <= (found.saving == 0)


@given(bills())
def test_no_other_part_is_more_below_the_runner_up_than_the_one_that_decides(parts: Parts) -> None:
    found = Bill(parts)
    ours, theirs = parts[found.winner], parts[found.runner_up]
    ahead = {part: theirs.get(part, 0) - ours.get(part, 0) for part in PARTS}
    assert found.decides in {**ours, **theirs}
    assert found.decides_pj == ahead[found.decides] == max(ahead[x] for x in {**ours, **theirs})
    # All parts together, it is ahead: so in one of them it is.
    assert found.decides_pj >= 0 or found.pj(found.winner) == found.pj(found.runner_up)


@given(bills(), st.sampled_from(list(CONTENDERS)), st.floats(min_value=0.01, max_value=1))
def test_who_becomes_cheaper_does_not_lose_for_it(parts: Parts, who: str, factor: float) -> None:
    cheaper = {**parts, who: {part: pj * factor for part, pj in parts[who].items()}}
    assert Bill(cheaper).ranked.index(who) <= Bill(parts).ranked.index(who)


def test_of_models_that_cost_the_same_the_plainest_is_named() -> None:
    assert bill(1, 1, 1).ranked == ["dense", "zones", "spiking"]
    assert bill(2, 1, 1).ranked == ["zones", "spiking", "dense"]


@pytest.mark.parametrize(
    ("zones", "spiking", "text"),
    [
        (900.0, 877.0, "12"),
        (960.0, 912.0, "8.8"),
        (1000.4, 999.6, "<0.1"),  # 0.04 % less than 1,000
        (901.0, 900.0, "10"),
    ],
)
def test_a_saving_in_words(zones: float, spiking: float, text: str) -> None:
    found = bill(1000, zones, spiking)
    assert (found.winner, found.saved_text) == ("spiking", text)


def test_less_than_a_percent_is_close() -> None:
    assert bill(1000, 960, 951).is_close  # 1 - 951 / 960 = 0.94 %
    assert not bill(1000, 960, 950).is_close  # 1.04 %
