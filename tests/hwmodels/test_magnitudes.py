"""What no machine has is refused, wherever a profile holds a number; the schema says the same."""

from __future__ import annotations

from math import inf, nextafter
from typing import Any

import jsonschema
import pytest
from builders import refused
from pydantic import TypeAdapter, ValidationError

from hwmodels import HardwareProfile, load_profile, profile_names
from hwmodels.document import validated
from hwmodels.profile import ProfileError
from hwmodels.schema import file_schema

CITED = {"source": "a bench", "evidence": "measured"}
LEVEL = {"read_pj_per_byte": 1.0, "write_pj_per_byte": 2.0, **CITED}


def delivery(**changed: Any) -> dict[str, Any]:
    return {"delivery": {"pj_per_byte": 1.0, "mac_reuse": 1, "event_reuse": 1, **CITED, **changed}}


#: Each number of the schema: its key, a file that holds it, and its range.
FIELDS: dict[str, tuple[Any, float, float]] = {
    "value_bytes": (lambda x: {"value_bytes": x}, 0.125, 16),
    "process_nm": (lambda x: {"process_nm": x}, 0.1, 1e5),
    "prices.mac.pj": (lambda x: {"prices": {"mac": {"pj": x, **CITED}}}, 1e-6, 1e9),
    "prices.mac.others.0.pj": (
        lambda x: {
            "prices": {"mac": {"pj": 1, "others": [{"pj": x, "source": "another"}], **CITED}}
        },
        1e-6,
        1e9,
    ),
    "prices.mac.spread.0": (
        lambda x: {"prices": {"mac": {"pj": 1, "spread": [x, 1], **CITED}}},
        1e-3,
        1,
    ),
    "prices.mac.spread.1": (
        lambda x: {"prices": {"mac": {"pj": 1, "spread": [1, x], **CITED}}},
        1,
        1e3,
    ),
    "memory.ram.read_pj_per_byte": (
        lambda x: {"memory": {"ram": LEVEL | {"read_pj_per_byte": x}}},
        1e-6,
        1e9,
    ),
    "memory.ram.write_pj_per_byte": (
        lambda x: {"memory": {"ram": LEVEL | {"write_pj_per_byte": x}}},
        1e-6,
        1e9,
    ),
    "memory.ram.capacity_bytes": (
        lambda x: {"memory": {"ram": LEVEL | {"capacity_bytes": x}}},
        1,
        2**60,
    ),
    "memory.ram.curve.0.0": (
        lambda x: {"memory": {"ram": {"curve": [[x, 1.0]], **CITED}}},
        1,
        2**60,
    ),
    "memory.ram.curve.0.1": (
        lambda x: {"memory": {"ram": {"curve": [[1, x]], **CITED}}},
        1e-6,
        1e9,
    ),
    "static_power.watts": (lambda x: {"static_power": {"watts": x, **CITED}}, 1e-12, 1e8),
    "throughput.mac.per_second": (
        lambda x: {"throughput": {"mac": {"per_second": x, **CITED}}},
        1,
        1e22,
    ),
    "bandwidth.ram.bytes_per_second": (
        lambda x: {
            "memory": {"ram": LEVEL},
            "bandwidth": {"ram": {"bytes_per_second": x, **CITED}},
        },
        1,
        1e22,
    ),
    "delivery.pj_per_byte": (lambda x: delivery(pj_per_byte=x), 1e-6, 1e9),
    "delivery.mac_reuse": (lambda x: delivery(mac_reuse=x), 1, 1e9),
    "delivery.event_reuse": (lambda x: delivery(event_reuse=x), 1, 1e9),
    "delivery.reuse_range.0": (lambda x: delivery(reuse_range=[x, 1e9]), 1, 1e9),
    "delivery.reuse_range.1": (lambda x: delivery(reuse_range=[1, x]), 1, 1e9),
    "widths.vectors": (lambda x: {"widths": {"vectors": x}}, 0.1, 64),
    "widths.accumulators": (lambda x: {"widths": {"accumulators": x}}, 1, 64),
    "core.synapses": (lambda x: {"core": {"synapses": x, "neurons": 1, **CITED}}, 1, 10**15),
    "core.neurons": (lambda x: {"core": {"synapses": 1, "neurons": x, **CITED}}, 1, 10**15),
    "system.0.value": (
        lambda x: {"system": [{"what": "all", "value": x, "unit": "mJ", **CITED}]},
        1e-18,
        1e18,
    ),
}
#: Those that may be zero as well: what costs nothing, or leaks nothing.
ZERO = {key for key in FIELDS if key.endswith(("pj", "_per_byte", "watts", "curve.0.1"))}


VALIDATOR = jsonschema.Draft202012Validator(file_schema())


def file_with(key: str, number: object) -> dict[str, Any]:
    table = {"name": "mine", "title": "A chip", "precision": "fp32", "value_bytes": 4, "prices": {}}
    return table | FIELDS[key][0](number)


def outside(key: str) -> list[float]:
    _, low, high = FIELDS[key]
    if isinstance(high, int):
        return [low - 1, high + 1, -1, 10**400]
    below, above = nextafter(low, -inf), nextafter(high, inf)
    return [below, above, -low, 1e308, 1e30 if high < 1e30 else inf, 10**400]


@pytest.mark.parametrize("key", FIELDS)
def test_both_ends_of_its_range_are_valid(key: str) -> None:
    _, low, high = FIELDS[key]
    for number in (low, high):
        validated(file_with(key, number), "mine")
        VALIDATOR.validate(file_with(key, number))


@pytest.mark.parametrize("key", FIELDS)
def test_what_no_machine_has_is_refused_with_the_range(key: str) -> None:
    _, low, high = FIELDS[key]
    zero = "0, or " if key in ZERO else ""
    for number in outside(key):
        said = refused(ProfileError, validated, file_with(key, number), "mine")
        assert f"key '{key}' (= " in said
        assert f"must be {zero}from {low:g} to {high:g}" in said
        assert len(said) <= 300
        with pytest.raises(ValidationError):
            HardwareProfile(**file_with(key, number))
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate(file_with(key, number))


@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize("number", [0, 0.0, float("nan"), inf, True, None, [1], {}, "1"])
def test_zero_is_a_price_and_a_power_and_nothing_else_is_a_number(key: str, number: Any) -> None:
    nothing = ("process_nm", "memory.ram.capacity_bytes", "widths.vectors")
    optional = key in nothing and number is None
    if optional or (key in ZERO and number == 0 and number is not False):
        validated(file_with(key, number), "mine")
    else:
        said = refused(ProfileError, validated, file_with(key, number), "mine")
        assert f"key '{key}" in said or ("_per_byte" in key and number is None)


@pytest.mark.parametrize(
    ("key", "number", "meant"),
    [
        # 5e-13 J x 1e12 pJ/J = 0.5 pJ
        ("prices.mac.pj", 5e-13, "0.5 pJ, which is 5e-13 J?"),
        ("prices.mac.pj", 5e-7, "0.5 pJ, which is 5e-07 µJ?"),
        ("memory.ram.read_pj_per_byte", 1.6e-10, "160 pJ/byte, which is 1.6e-10 J/byte?"),
        # 32 bit / 8 bit per byte = 4 bytes
        ("value_bytes", 32, "4 bytes, which is 32 bit?"),
        ("process_nm", 4.5e-8, "45 nm, which is 4.5e-08 m?"),
        ("process_nm", 0.045, "45 nm, which is 0.045 µm?"),
        ("prices.mac.pj", "5e-13 pJ", None),  # whoever writes a unit means it
        ("prices.mac.pj", "3 PJ", None),
        ("prices.mac.pj", 1e308, None),
        ("process_nm", "45 km", None),
    ],
)
def test_a_slip_of_the_unit_is_recognised(key: str, number: object, meant: str | None) -> None:
    said = refused(ProfileError, validated, file_with(key, number), "mine")
    assert f"(= {number!r}): must be " in said
    assert said.partition("did you mean ")[2] == (meant or "")


def numbers_of(schema: Any) -> list[dict[str, Any]]:
    """Every schema of a number that stands anywhere in a schema."""
    if isinstance(schema, list):
        return [found for part in schema for found in numbers_of(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") in ("number", "integer") else []
    return own + [found for part in schema.values() for found in numbers_of(part)]


def test_no_number_of_the_schema_is_without_bounds() -> None:
    found = numbers_of(file_schema())
    assert len(found) >= len(FIELDS)
    assert [number for number in found if not {"minimum", "maximum"} <= set(number)] == []


@pytest.mark.parametrize("name", profile_names())
def test_every_builtin_profile_is_within(name: str) -> None:
    profile = load_profile(name)
    TypeAdapter(HardwareProfile).validate_python(profile.model_dump())
