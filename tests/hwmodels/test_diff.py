from __future__ import annotations

from typing import Any

import pytest
from builders import CITED, chip

from hwmodels import HardwareProfile, load_profile, profile_names
from hwmodels.diff import Difference, differences, size

FETCH = {"pj_per_byte": 2.0, "mac_reuse": 16, "event_reuse": 8, **CITED}
FAST = {"bytes_per_second": 10, **CITED}
RAM = {"read_pj_per_byte": 5.0, "write_pj_per_byte": 7.0, **CITED}


def profile(**changed: Any) -> HardwareProfile:
    keys: dict[str, Any] = {
        "memory": {"ram": RAM},
        "placement": {"weights": "ram"},
        "included": {"spike": "inside the mac"},
        "static_power": {"watts": 1.0, **CITED},
        "throughput": {"mac": {"per_second": 10, **CITED}},
        "delivery": FETCH,
        "bandwidth": {"ram": FAST},
        "core": {"synapses": 64, "neurons": 8, **CITED},
        "system": [{"what": "gpt2", "value": 2.0, "unit": "mJ", **CITED}],
    }
    return chip({"mac": 2.0, "cmp": 0.0}, **keys | changed)


def changed(**keys: Any) -> dict[str, Difference]:
    return {found.key: found for found in differences(profile(), profile(**keys))}


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_does_not_differ_from_itself(name: str) -> None:
    assert differences(load_profile(name), load_profile(name)) == []


@pytest.mark.parametrize(
    ("keys", "key", "a", "b", "ratio"),
    [
        ({"process_nm": 45}, "process_nm", "unknown", "45", None),
        ({"precision": "fp32"}, "precision", "int8", "fp32", None),
        ({"value_bytes": 4}, "value_bytes", "1", "4", 4.0),
        ({"widths": {"accumulators": 16}}, "widths.accumulators", "8 bits", "16 bits", 2.0),
        (
            {"widths": {"accumulators": 8, "weights": 4.5}},
            "widths.weights",
            None,
            "4.5 bits",
            None,
        ),
        ({"fusion": "fused"}, "fusion", "unfused", "fused", None),
        ({"encoding": "packed"}, "encoding", "cheapest", "packed", None),
        ({"room": "fixed-order"}, "room", "by-need", "fixed-order", None),
        ({"delivery": FETCH | {"event_reuse": 1}}, "delivery.event_reuse", "8", "1", 0.125),
        (
            {"delivery": FETCH | {"reuse_range": [1, 9]}},
            "delivery.reuse_range",
            None,
            "1 to 9",
            None,
        ),
        ({"bandwidth": {"ram": FAST | {"bytes_per_second": 30}}}, "bandwidth.ram", "10", "30", 3.0),
        ({"dataflow": "stepwise"}, "dataflow", "layerwise", "stepwise", None),
        ({"included": {}}, "prices.spike", "included", None, None),
        ({"placement": {}}, "placement.weights", "ram", None, None),
        ({"static_power": {"watts": 3.0, **CITED}}, "static_power.watts", "1", "3", 3.0),
        ({"throughput": {}}, "throughput.mac", "10", None, None),
        ({"core": {"synapses": 32, "neurons": 8, **CITED}}, "core.synapses", "64", "32", 0.5),
        ({"system": []}, "system.gpt2", "2 mJ", None, None),
    ],
)
def test_one_change_is_one_difference(
    keys: dict[str, Any], key: str, a: str | None, b: str | None, ratio: float | None
) -> None:
    [found] = changed(**keys).values()
    assert found.key == key
    assert (found.a and found.a.text, found.b and found.b.text) == (a, b)
    assert found.ratio == ratio


def test_prices_differ_in_value_spread_or_evidence_but_not_in_wording() -> None:
    mac, cmp_ = {"pj": 2.0, **CITED}, {"pj": 0.0, **CITED}

    def with_mac(**keys: Any) -> list[str]:
        return list(changed(prices={"mac": mac | keys, "cmp": cmp_}))

    assert with_mac(source="another bench", note="a note") == []
    assert with_mac(pj=3.0) == ["prices.mac"]
    assert with_mac(spread=[0.5, 2.0]) == ["prices.mac"]
    assert with_mac(evidence="derived") == ["prices.mac"]


def test_a_price_of_zero_has_no_ratio() -> None:
    prices = {"mac": {"pj": 2.0, **CITED}, "cmp": {"pj": 1.0, **CITED}}
    assert changed(prices=prices)["prices.cmp"].ratio is None


def test_a_curve_differs_from_a_flat_price() -> None:
    curve = {"curve": [[8192, 1.25], [1048576, 12.5]], "capacity_bytes": 2**21, **CITED}
    found = changed(memory={"ram": curve})
    assert list(found) == [
        "memory.ram.read_pj_per_byte",
        "memory.ram.write_pj_per_byte",
        "memory.ram.curve",
        "memory.ram.capacity_bytes",
    ]
    new = found["memory.ram.curve"].b
    assert new is not None
    assert new.text == "8 KiB: 1.25, 1 MiB: 12.5"


def test_differences_come_in_the_order_of_the_schema() -> None:
    found = [entry.key for entry in differences(load_profile("truenorth"), load_profile("45nm"))]
    sections = list(dict.fromkeys(key.partition(".")[0] for key in found))
    assert sections == [
        "process_nm",
        "precision",
        "value_bytes",
        "scope",
        "dataflow",
        "fusion",
        "prices",
        "placement",
        "memory",
        "delivery",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1000, "1000 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (2**20, "1 MiB"),
        (3 * 2**29, "1.5 GiB"),
    ],
)
def test_sizes_are_written_for_people(count: int, text: str) -> None:
    assert size(count) == text
