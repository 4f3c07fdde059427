from __future__ import annotations

import pytest

from energy import Counts, LayerCount, Tally
from energy.bill.pricing import time_at_full_use_s
from hwmodels import Evidence, HardwareProfile, Op, Throughput, load_profile


def counts_of(ops: dict[Op, int]) -> Counts:
    return Counts("asa", (LayerCount("layer", "Linear", calls=1, tally=Tally(ops)),))


def chip(name: str = "45nm", **per_second: float) -> HardwareProfile:
    rates = {
        Op(op): Throughput(per_second=rate, source="a bench", evidence=Evidence.MEASURED)
        for op, rate in per_second.items()
    }
    return load_profile(name).model_copy(update={"throughput": rates})


def test_one_kind_of_operation_comes_after_the_other() -> None:
    # 100 MACs at 1 ns and 5 comparisons at 10 ns
    counts = counts_of({Op.MAC: 100, Op.CMP: 5})
    assert time_at_full_use_s(counts, chip(mac=1e9, cmp=1e8)) == pytest.approx(150e-9)


def test_what_has_no_throughput_takes_no_time_unless_it_is_a_product() -> None:
    counts = counts_of({Op.MAC: 100, Op.EXP: 7})
    assert time_at_full_use_s(counts, chip(mac=1e9)) == pytest.approx(100e-9)
    assert time_at_full_use_s(counts_of({Op.MAC: 100, Op.AC: 1}), chip(mac=1e9)) is None
    assert time_at_full_use_s(counts, chip()) is None


def test_bytes_take_the_time_of_the_precision_of_the_profile() -> None:
    # 48 bytes of FP32 are 12 of INT8; packed spikes stay 5
    counts = counts_of({Op.WEIGHT_READ: 48, Op.SPIKE_READ: 5})
    slow = chip("45nm-int8", weight_read_bytes=1.0, spike_read_bytes=1.0)
    assert time_at_full_use_s(counts, slow) == pytest.approx(17.0)
