from __future__ import annotations

from typing import Any

import pytest
from builders import CITED, chip

from hwmodels import Op, load_profile, profile_names
from hwmodels.usage import occurs, unpriced, unused

FLAT = {"read_pj_per_byte": 1.0, "write_pj_per_byte": 1.0, **CITED}
SMALL = FLAT | {"capacity_bytes": 1024}
RATE = {"per_second": 1e9, **CITED}
PRICE = {"pj": 1.0, **CITED}


@pytest.mark.parametrize("name", profile_names())
def test_what_is_shipped_is_used(name: str) -> None:
    # 7nm has two kinds of DRAM, of which it and 7nm-hbm2 use one each; hops are inside the one
    # price of a whole chip
    allowed = {
        "memory.dram (no buffer may live there)",
        "memory.hbm2 (no buffer may live there)",
        "included.spike_hop (without [core] no spike is routed)",
    }
    assert set(unused(load_profile(name))) <= allowed


def test_a_neuron_is_charged_whole_or_by_its_parts() -> None:
    whole = chip({Op.NEURON_UPDATE: 1.0, Op.NEURON_ADD: 1.0})
    assert list(unused(whole)) == ["prices.neuron_add (neurons are charged by whole updates)"]
    assert Op.NEURON_UPDATE not in unpriced(whole)
    parts = chip({Op.ADD: 1.0}, throughput={"neuron_update": RATE})
    assert list(unused(parts)) == ["throughput.neuron_update (neurons are charged by what they do)"]
    # an addition in a neuron costs what one elsewhere does; its comparison has no price
    assert {Op.NEURON_CMP, Op.NEURON_MUL} == {op for op in unpriced(parts) if op.alike}
    assert not occurs(parts, Op.NEURON_UPDATE)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"memory": {"ram": FLAT, "far": FLAT}, "placement": {"weights": "ram"}},
            ["memory.far (no buffer may live there)"],
        ),
        # what has no limit takes everything, and nothing comes to what stands behind it
        (
            {"memory": {"ram": FLAT, "far": FLAT}, "placement": {"weights": ["ram", "far"]}},
            ["memory.far (everything fits in a level before it)"],
        ),
        (
            {
                "memory": {"ram": SMALL, "far": SMALL},
                "placement": {"weights": ["ram", "far"], "activations": "ram"},
            },
            ["memory.far.capacity_bytes (the last level takes all that is left)"],
        ),
        # blocks of queries take their size from where activations are, be it the last level
        ({"memory": {"ram": SMALL}, "placement": {"activations": "ram"}}, []),
        (
            {
                "memory": {"ram": FLAT},
                "placement": {"weights": "ram"},
                "bandwidth": {"ram": {"bytes_per_second": 1e9, **CITED}},
            },
            ["bandwidth.ram (without throughput no time is known)"],
        ),
        (
            {
                "memory": {"ram": FLAT},
                "placement": {"weights": "ram"},
                "bandwidth": {"ram": {"bytes_per_second": 1e9, **CITED}},
                "throughput": {"mac": RATE},
            },
            [],
        ),
        (
            {"placement": {}, "memory": {}, "widths": {"kv": 8, "accumulators": 24}},
            [
                "widths.kv (what it is of has no place)",
                "widths.accumulators (what it is of has no place)",
            ],
        ),
        # a fetch beside the adders is as wide as what is fetched
        (
            {
                "placement": {},
                "memory": {},
                "widths": {"kv": 8},
                "delivery": {"pj_per_byte": 1, "mac_reuse": 1, "event_reuse": 1, **CITED},
            },
            [],
        ),
        (
            {
                "memory": {"ram": FLAT},
                "placement": {"weights": "ram"},
                "encoding": "bitmap",
                "room": "fixed-order",
            },
            ["encoding (spikes have no place)", "room (each buffer has one level)"],
        ),
        (
            {"placement": {}, "memory": {}, "prices": {"spike_hop": PRICE}},
            ["prices.spike_hop (without [core] no spike is routed)"],
        ),
    ],
)
def test_what_no_bill_can_use_is_named(changed: dict[str, Any], says: list[str]) -> None:
    keys = {"widths": {}} | changed
    assert list(unused(chip(**keys))) == says
