from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import CITED, chip

from energy import Counts, LayerCount, Tally
from energy.bill.placement import BUFFERS, footprints, place
from hwmodels import Buffer, Dataflow, HardwareProfile, Op

NEAR, FAR = 0, 1


def two_levels(capacity: int, **placement: Any) -> HardwareProfile:
    flat = {"read_pj_per_byte": 1.0, "write_pj_per_byte": 1.0, **CITED}
    return chip(
        memory={"near": flat | {"capacity_bytes": capacity}, "far": flat},
        placement=placement or {buffer: ["near", "far"] for buffer in Buffer},
    )


def held(**sizes: list[float]) -> Any:
    table = np.zeros((len(next(iter(sizes.values()))), len(BUFFERS)))
    for name, column in sizes.items():
        table[:, BUFFERS.index(Buffer(name))] = column
    return table


def where(places: Any, buffer: str) -> list[int]:
    return [int(level) for level in places[:, BUFFERS.index(Buffer(buffer))]]


def test_footprints_are_per_call_and_persistent_ones_those_of_the_model() -> None:
    first = Tally({Op.WEIGHT_READ: 80, Op.ACTIVATION_READ: 20, Op.ACTIVATION_WRITE: 40})
    second = Tally({Op.VECTOR_READ: 8, Op.STATE_READ: 96, Op.SPIKE_WRITE: 6, Op.KV_SPIKE_READ: 10})
    counts = Counts(
        "ssa",
        (LayerCount("a", "L", calls=2, tally=first), LayerCount("b", "L", calls=1, tally=second)),
        timesteps=4,
    )
    sizes = footprints(counts)
    # weights 80 / 2 + 8 and 10 bytes of packed keys belong to both layers
    assert sizes.scaled.tolist() == [[48, 0, 0, 0, 30], [48, 0, 24, 0, 0]]
    assert sizes.packed.tolist() == [[0, 10, 0, 0, 0], [0, 10, 0, 6, 0]]


def test_a_buffer_lives_in_the_nearest_level_it_fits_in() -> None:
    places = place(held(activations=[99, 100, 101]), two_levels(100))
    assert where(places, "activations") == [NEAR, NEAR, FAR]


def test_weights_take_their_room_first() -> None:
    places = place(held(weights=[60, 60], activations=[40, 41]), two_levels(100))
    assert where(places, "weights") == [NEAR, NEAR]
    assert where(places, "activations") == [NEAR, FAR]


def test_what_does_not_fit_takes_no_room() -> None:
    places = place(
        held(weights=[200], kv_cache=[90], state=[20], activations=[10]), two_levels(100)
    )
    assert where(places, "weights") == [FAR]
    assert where(places, "kv_cache") == [NEAR]
    assert where(places, "state") == [FAR]
    assert where(places, "activations") == [NEAR]


def test_the_last_level_of_a_list_holds_what_fits_nowhere() -> None:
    places = place(held(weights=[1e9]), two_levels(100, weights="near"))
    assert where(places, "weights") == [NEAR]


def test_a_buffer_without_a_placement_is_nowhere() -> None:
    assert where(place(held(state=[1.0]), two_levels(100, weights="near")), "state") == [-1]


@pytest.mark.parametrize("capacity", [10, 50, 100])
def test_what_lives_near_never_exceeds_the_capacity(capacity: int) -> None:
    sizes = held(
        weights=[30.0] * 3, kv_cache=[20.0] * 3, state=[5, 10, 40], spikes=[1, 2, 3],
        activations=[7, 70, 9],
    )  # fmt: skip
    places = place(sizes, two_levels(capacity))
    assert ((sizes * (places == NEAR)).sum(axis=1) <= capacity).all()
    assert (places >= 0).all()


def test_accumulators_that_events_update_are_one_value_per_result() -> None:
    synapses = Tally({Op.AC: 5, Op.ACTIVATION_WRITE: 240, Op.WEIGHT_READ: 8}, slots=9)
    dense = Tally({Op.MAC: 5, Op.ACTIVATION_WRITE: 240})
    counts = Counts(
        "ssa",
        (LayerCount("a", "L", calls=2, tally=synapses), LayerCount("b", "L", calls=1, tally=dense)),
        timesteps=4,
    )
    state = BUFFERS.index(Buffer.STATE)
    in_registers = footprints(counts, Dataflow.LAYERWISE.rules)
    in_memory = footprints(counts, Dataflow.EVENT_DRIVEN.rules)
    assert in_registers.scaled[:, state].tolist() == [0, 0]
    assert in_memory.scaled[:, state].tolist() == [120, 0]  # 240 bytes in 2 calls
