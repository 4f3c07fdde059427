from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import CITED, chip

from energy import Counts, LayerCount, Tally, estimate
from energy.bill.latency import layer_times
from energy.bill.layer import LayerTime
from hwmodels import HardwareProfile, Op


def machine(bandwidth: float | None = None, **per_second: float) -> HardwareProfile:
    changed: dict[str, Any] = {
        "throughput": {op: {"per_second": rate, **CITED} for op, rate in per_second.items()}
    }
    if bandwidth:
        changed["bandwidth"] = {"ram": {"bytes_per_second": bandwidth, **CITED}}
    return chip({Op.MAC: 1.0}, **changed)


def layer_time(
    ops: dict[Op, float], level_bytes: dict[str, float], profile: HardwareProfile
) -> LayerTime | None:
    """That of one layer, and of the second of two that are alike."""
    columns = (
        {key: np.array([n, n], dtype=float) for key, n in x.items()} for x in (ops, level_bytes)
    )
    times = layer_times(*columns, profile, 2)
    assert times.of(0) == times.of(1)
    return times.of(1)


def test_one_kind_of_operation_comes_after_the_other() -> None:
    # 100 MACs at 1 ns and 5 comparisons at 10 ns
    time = layer_time({Op.MAC: 100, Op.CMP: 5}, {}, machine(mac=1e9, cmp=1e8))
    assert time == (pytest.approx(150e-9), "arithmetic")


def test_what_has_no_throughput_takes_no_time_unless_it_is_a_product() -> None:
    assert layer_time({Op.MAC: 100, Op.EXP: 7}, {}, machine(mac=1e9)) == (100e-9, "arithmetic")
    assert layer_time({Op.MAC: 100, Op.AC: 1}, {}, machine(mac=1e9)) is None
    assert layer_time({Op.MAC: 100}, {}, machine()) is None


def test_a_layer_takes_as_long_as_what_is_slowest() -> None:
    # 100 MACs take 100 ns; 400 bytes at 2 bytes per ns take 200 ns
    assert layer_time({Op.MAC: 100}, {"ram": 400}, machine(2e9, mac=1e9)) == (200e-9, "ram")
    assert layer_time({Op.MAC: 300}, {"ram": 400}, machine(2e9, mac=1e9)) == (
        pytest.approx(300e-9),
        "arithmetic",
    )


def test_a_level_without_a_bandwidth_beside_one_that_has_is_unknown() -> None:
    assert layer_time({Op.MAC: 1}, {"ram": 4, "other": 4}, machine(2e9, mac=1e9)) is None


def test_layers_come_one_after_the_other() -> None:
    # the first is bound by memory (32 values of a byte: 16 ns), the second by its 100 MACs
    counts = Counts(
        "asa",
        (
            LayerCount("a", "Linear", calls=1, tally=Tally({Op.MAC: 1, Op.WEIGHT_READ: 32})),
            LayerCount("b", "Linear", calls=1, tally=Tally({Op.MAC: 100, Op.WEIGHT_READ: 8})),
        ),
    )
    bill = estimate(counts, machine(2e9, mac=1e9))
    assert [layer.time and layer.time.bound for layer in bill.layers] == ["ram", "arithmetic"]
    assert bill.latency_s == pytest.approx(116e-9)
    assert estimate(counts, machine()).latency_s is None
