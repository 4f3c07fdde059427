from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import CITED, chip
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.bill.placement import BUFFERS, Held, place
from hwmodels import Buffer, HardwareProfile, Room

NEAR, FAR = 0, 1
FIXED = {"room": Room.FIXED_ORDER}


def two_levels(capacity: int, **changed: Any) -> HardwareProfile:
    far = {"read_pj_per_byte": 10.0, "write_pj_per_byte": 10.0, **CITED}
    near = far | {"read_pj_per_byte": 1.0, "write_pj_per_byte": 1.0, "capacity_bytes": capacity}
    placement = {"placement": {buffer: ["near", "far"] for buffer in Buffer}}
    return chip(memory={"near": near, "far": far}, **(placement | changed))


def held(uses: float | dict[str, float] = 1.0, **sizes: list[float]) -> Held:
    """Buffers of these bytes per layer, each of them moved so many times in a call."""
    table = np.zeros((len(next(iter(sizes.values()))), len(BUFFERS)))
    times = np.ones(len(BUFFERS))
    for name, column in sizes.items():
        at = BUFFERS.index(Buffer(name))
        table[:, at] = column
        times[at] = uses if isinstance(uses, float) else uses.get(name, 1.0)
    return Held(table, table * times, np.ones(len(table)))


def near(shares: Any, buffer: str) -> list[float]:
    """Share of a buffer in the near level, per layer."""
    return [float(share) for share in shares[NEAR, :, BUFFERS.index(Buffer(buffer))]]


def test_room_goes_to_what_every_layer_uses_in_turn() -> None:
    # A byte of room that holds activations serves both layers: 2 uses; one that holds the weights
    # of one layer 1. So the first 60 bytes go to activations, the other 40 to 40 of 200 of weights.
    shares = place(held(weights=[100, 100], activations=[60, 60]), two_levels(100))
    assert near(shares, "activations") == [1, 1]
    assert sum(near(shares, "weights")) * 100 == pytest.approx(40)


def test_what_does_not_fit_streams_in_part() -> None:
    shares = place(held(activations=[80, 100, 125]), two_levels(100))
    assert near(shares, "activations") == [1, 1, pytest.approx(0.8)]
    assert shares.sum(axis=0)[:, BUFFERS.index(Buffer.ACTIVATIONS)].tolist() == [1, 1, 1]


def test_a_layer_that_moves_the_same_may_lose_its_room_where_others_move_less() -> None:
    # Unfused, a byte of room serves the activations of three layers (3 uses), so weights (1.5) wait
    # and the last layer has all of its activations near. Fused, the first two move none: a byte
    # serves the last alone (1 use), and the room goes to weights: the last layer costs more, though
    # 150 accesses are near where there were 300 and 200 fewer are made in all.
    weights = {"weights": 1.5}, [100.0, 100.0, 100.0]
    unfused = place(
        held(weights[0], weights=weights[1], activations=[100, 100, 100]), two_levels(100)
    )
    fused = place(held(weights[0], weights=weights[1], activations=[0, 0, 100]), two_levels(100))
    assert near(unfused, "activations") == [1, 1, 1]
    assert sum(near(unfused, "weights")) == 0
    assert near(fused, "activations")[2] == 0
    assert sum(near(fused, "weights")) == pytest.approx(1)


def test_within_a_layer_room_goes_to_what_is_moved_most_often() -> None:
    # 30 bytes of state moved 4 times come before 100 of activations moved once
    shares = place(held({"state": 4.0}, state=[30], activations=[100]), two_levels(100))
    assert near(shares, "state") == [1]
    assert near(shares, "activations") == [pytest.approx(0.7)]


def test_one_large_layer_does_not_take_the_room_of_the_cache() -> None:
    # Deeper than 10 bytes only the head (1,000 bytes) would use room, no more often than the cache
    # (2 uses) does: after 10 bytes for all layers, the cache of 60 comes before the head's rest.
    shares = place(
        held({"kv_cache": 2.0}, kv_cache=[30, 30, 0], activations=[10, 10, 1000]), two_levels(100)
    )
    assert near(shares, "kv_cache")[:2] == [1, 1]
    assert near(shares, "activations") == [1, 1, pytest.approx(0.04)]  # 100 - 60 bytes of 1,000


def test_a_row_that_stands_many_times_counts_as_often() -> None:
    once = held(weights=[100, 100], activations=[60, 60])
    twice = Held(once.bytes[:1], once.moved[:1], np.array([2.0]))
    for buffer in ("weights", "activations"):
        both = near(place(once, two_levels(100)), buffer)
        assert near(place(twice, two_levels(100)), buffer) == [pytest.approx(sum(both) / 2)]


def test_the_last_level_of_a_list_holds_what_fits_nowhere() -> None:
    shares = place(held(weights=[1e9]), two_levels(100, placement={"weights": "near"}))
    assert near(shares, "weights") == [1]


def test_a_buffer_without_a_placement_is_nowhere() -> None:
    shares = place(held(state=[1.0]), two_levels(100, placement={"weights": "near"}))
    assert not shares[:, :, BUFFERS.index(Buffer.STATE)].any()


SIZES = st.lists(st.lists(st.floats(0, 100), min_size=5, max_size=5), min_size=1, max_size=6)
USES = st.lists(st.floats(0.1, 8), min_size=5, max_size=5)


def energy(sizes: Held, capacity: int) -> float:
    """Energy of all traffic: 1 pJ per byte near, 10 far."""
    shares = place(sizes, two_levels(capacity))
    return float((sizes.moved * (shares[NEAR] + 10 * shares[FAR])).sum())


def made(sizes: list[list[float]], uses: list[float]) -> Held:
    table = np.array(sizes)
    return Held(table, table * np.array(uses), np.ones(len(table)))


@settings(deadline=None, max_examples=200)
@given(SIZES, USES, st.integers(1, 800), st.integers(0, 300))
def test_more_capacity_never_costs_more(
    sizes: list[list[float]], uses: list[float], capacity: int, more: int
) -> None:
    table = made(sizes, uses)
    before, after = energy(table, capacity), energy(table, capacity + more)
    assert after <= before * (1 + 1e-12)
    # A byte of room saves at most 9 pJ for each use that a byte of it has in all layers.
    most = 9 * more * max(uses) * len(sizes)
    assert before - after <= most * (1 + 1e-9) + 1e-6


@settings(deadline=None, max_examples=200)
@given(SIZES, USES, st.integers(1, 800))
def test_what_lives_near_never_exceeds_the_capacity(
    sizes: list[list[float]], uses: list[float], capacity: int
) -> None:
    table = made(sizes, uses)
    shares = place(table, two_levels(capacity))
    bytes_near = table.bytes * shares[NEAR]
    resident = bytes_near[:, :2].sum() + bytes_near[:, 2:].sum(axis=1)
    assert (resident <= capacity * (1 + 1e-9)).all()
    assert shares.sum(axis=0) == pytest.approx(np.ones_like(table.bytes))


@settings(deadline=None, max_examples=200)
@given(SIZES, USES, st.integers(1, 800), st.floats(1, 1.001))
def test_the_bill_is_continuous_in_all_sizes(
    sizes: list[list[float]], uses: list[float], capacity: int, factor: float
) -> None:
    table = made(sizes, uses)
    grown = made((np.array(sizes) * factor).tolist(), uses)
    before, after = energy(table, capacity), energy(grown, capacity)
    # All traffic grows by the factor, and what no longer fits costs 9 pJ more for each use.
    spilled = 9 * max(uses) * len(sizes) * table.bytes.sum() * (factor - 1)
    assert abs(after - before * factor) <= spilled * (1 + 1e-6) + 1e-6


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=4),
    st.lists(st.integers(0, 3), min_size=2, max_size=4),
    st.integers(1, 8),
)
def test_no_other_choice_saves_more(weights: list[int], working: list[int], capacity: int) -> None:
    """Against every choice of whole bytes: how many of each layer's weights, how deep the rest."""
    layers = min(len(weights), len(working))
    table = held(weights=[float(x) for x in weights[:layers]],
                 activations=[float(x) for x in working[:layers]])  # fmt: skip
    saved = 10 * table.moved.sum() - energy(table, capacity)
    best = 0.0
    for depth in range(capacity + 1):
        for_weights = min(capacity - depth, sum(weights[:layers]))
        best = max(best, 9.0 * (for_weights + sum(min(x, depth) for x in working[:layers])))
    assert saved == pytest.approx(best)


def test_a_buffer_that_may_live_far_only_leaves_the_near_room_to_others() -> None:
    lists = {buffer: ["near", "far"] for buffer in Buffer} | {Buffer.WEIGHTS: ["far"]}
    table = held(weights=[200], activations=[60])
    for more in ({}, FIXED):  # whichever buffer is listed first
        shares = place(table, two_levels(100, placement=lists, **more))
        assert near(shares, "weights") == [0]
        assert near(shares, "activations") == [1]


def test_in_fixed_order_weights_take_their_room_first_and_whole() -> None:
    shares = place(held(weights=[30, 30], activations=[40, 41]), two_levels(100, **FIXED))
    assert near(shares, "weights") == [1, 1]
    assert near(shares, "activations") == [1, 0]


def test_in_fixed_order_what_does_not_fit_takes_no_room() -> None:
    table = held(weights=[200], kv_cache=[90], state=[20], activations=[10])
    shares = place(table, two_levels(100, **FIXED))
    for buffer, share in (("weights", 0), ("kv_cache", 1), ("state", 0), ("activations", 1)):
        assert near(shares, buffer) == [share]
