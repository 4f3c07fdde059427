# Peak rates and bandwidths of the shipped profiles, against what a data sheet prints.
from __future__ import annotations

import pytest

from hwmodels import Op, load_profile

PARTS = {op for op in Op if op.alike is not None}


@pytest.mark.parametrize(
    ("precision", "macs"),
    # 6,912 lanes x 1.41 GHz; tensor cores do 312 TFLOPS, 624 TOPS, two operations each
    [("", 6912 * 1.41e9), ("-bf16", 312e12 / 2), ("-int8", 624e12 / 2)],
)
def test_7nm_with_hbm2_has_the_prices_of_7nm_and_the_rates_of_a_chip(
    precision: str, macs: float
) -> None:
    profile, plain = load_profile(f"7nm-hbm2{precision}"), load_profile(f"7nm{precision}")
    assert profile.prices == plain.prices
    assert profile.memory["sram"].curve == plain.memory["sram"].curve
    assert profile.memory["sram"].capacity_bytes == 40960 * 1024
    assert set(profile.placement.values()) == {("sram", "hbm2")}
    rates = {op: rate.per_second for op, rate in profile.throughput.items()}
    assert rates.pop(Op.MAC) == pytest.approx(macs, rel=1e-3)
    # whatever else is counted and priced runs on the lanes
    assert set(rates) == {Op.AC, Op.SHIFT_AC, Op.ADD, Op.MUL, Op.CMP} | PARTS
    assert set(rates.values()) == {9.75e12}
    # 5,120 bytes a cycle; 5,120 bits, twice in each of 1.215 GHz
    bandwidth = {level: fast.bytes_per_second for level, fast in profile.bandwidth.items()}
    assert bandwidth == {
        "sram": pytest.approx(5120 * 1.41e9, rel=1e-3),
        "hbm2": pytest.approx(5120 / 8 * 2 * 1.215e9, rel=1e-3),
    }
